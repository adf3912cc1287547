//! A question in, an answer from a template out.

use crate::question::{Asked, QUESTIONS, read};
use crate::{Sample, Watch, bgp_answers, state_answers};
use action::DeviceId;
use network::{Device, Network};
use perception::Perception;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// Samples named per answer.
pub const SAMPLES_MAX: usize = 64;

/// Everything that an agent may look at.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The picture.
    pub network: &'a Network,
    /// The judgement.
    pub perception: &'a Perception,
    /// The agents' own memory.
    pub watch: &'a Watch,
    /// Time of the picture.
    pub now: Timestamp,
}

/// A reading tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// The device as it is.
    DeviceState,
    /// What was.
    History,
    /// Why a path is the best.
    WhyBest,
    /// What another LOCAL_PREF would do.
    WhatIf,
}

/// What an agent says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Whose agent.
    pub device: DeviceId,
    /// Time of the picture that it rests on.
    pub at: Timestamp,
    /// The tool that was used; `None` when the question was not understood.
    pub tool: Option<Tool>,
    /// What was understood.
    pub asked: Option<Asked>,
    /// The answer. Words of a device stand quoted in it.
    pub text: String,
    /// The readings it rests on.
    pub samples: Vec<Sample>,
    /// What can be asked; filled when the question was not understood.
    pub can_ask: Vec<String>,
}

/// Text and samples of an answer in the making.
#[derive(Default)]
pub struct Draft {
    pub text: String,
    pub samples: Vec<Sample>,
}

impl Draft {
    /// Makes an answer that rests on nothing.
    pub fn say(text: impl Into<String>) -> Self {
        Self { text: text.into(), samples: Vec::new() }
    }

    pub fn line(&mut self, text: impl AsRef<str>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text.as_ref());
    }

    pub fn sample(&mut self, sample: Sample) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample);
        }
    }
}

/// Answers a question to the agent of `device`; `None` for a device that there is not. Reads and computes only.
#[must_use]
pub fn answer(look: &Look<'_>, device: &DeviceId, question: &str) -> Option<Answer> {
    let state = look.network.devices.get(device)?;
    let exits: Vec<&str> = look.network.inventory.exits.iter().filter(|e| &e.device == device).map(|e| e.id.as_str()).collect();
    let asked = read(question, &exits);
    let (tool, mut draft) = match &asked {
        None => (None, Draft::say("I do not understand the question. I answer from templates, without a language model.")),
        Some(Asked::Help) => (Some(Tool::DeviceState), Draft::say("I read my router's state and history, and I can ask the twin.")),
        Some(asked) => respond(look, device, state, asked),
    };
    stale_note(look, state, &mut draft);
    let lost = tool.is_none() || matches!(asked, Some(Asked::Help | Asked::WhatIfUnclear { .. }));
    let can_ask = if lost { QUESTIONS.map(str::to_owned).to_vec() } else { Vec::new() };
    Some(Answer { device: device.clone(), at: look.now, tool, asked, text: draft.text, samples: draft.samples, can_ask })
}

fn respond(look: &Look<'_>, id: &DeviceId, state: &Device, asked: &Asked) -> (Option<Tool>, Draft) {
    let (tool, draft) = match asked {
        Asked::Health => (Tool::DeviceState, state_answers::health(look, id, state)),
        Asked::State | Asked::Help => (Tool::DeviceState, state_answers::state(look, id, state)),
        Asked::System => (Tool::DeviceState, state_answers::system(state)),
        Asked::Interfaces => (Tool::DeviceState, state_answers::interfaces(look, id, state)),
        Asked::Peers => (Tool::DeviceState, state_answers::peers(state)),
        Asked::Alerts => (Tool::DeviceState, state_answers::alerts(look, id)),
        Asked::Rules => (Tool::DeviceState, state_answers::rules(look)),
        Asked::Paths => (Tool::History, state_answers::paths(look, id)),
        Asked::History => (Tool::History, state_answers::history(look, id)),
        Asked::WhyBest { target: Some(target) } => (Tool::WhyBest, bgp_answers::why(look, id, state, *target)),
        Asked::WhyBest { target: None } => (Tool::WhyBest, bgp_answers::steps(look, id)),
        Asked::WhatIf(question) => (Tool::WhatIf, bgp_answers::what_if(look, id, state, question)),
        Asked::WhatIfUnclear { missing } => (Tool::WhatIf, Draft::say(format!("I cannot compute that yet: {missing}."))),
    };
    (Some(tool), draft)
}

/// An answer from old readings says so.
fn stale_note(look: &Look<'_>, state: &Device, draft: &mut Draft) {
    let spoken = |f: network::Freshness| f != network::Freshness::Unknown;
    for (feed, stale, freshness) in [("gNMI", state.gnmi_is_stale(look.now), state.gnmi), ("BMP", state.bmp_is_stale(look.now), state.bmp)]
    {
        if stale && spoken(freshness) && !draft.text.contains("is stale:") {
            let since = freshness.last().map_or_else(|| "unknown".to_owned(), crate::words::clock);
            draft.line(format!("{feed} is stale: what came from it is as of {since}."));
        }
    }
}
