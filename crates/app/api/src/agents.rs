//! Agents: one per device, read only. What they say comes from `agent`; here it gets its shape.

use crate::call::health_of;
use crate::gnmi_feed::SubscriptionView;
use crate::view::ApiError;
use action::DeviceId;
use agent::{Alert, AlertChange, Answer, Look, Sample, Tool, Value};
use network::Freshness;
use pilot::PilotState;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Alerts of the past that an agent's view holds.
const PAST_ALERTS: usize = 16;

/// One agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct AgentView {
    /// Id of the device that it looks after.
    pub id: String,
    /// Host name.
    pub hostname: String,
    /// `edge`, `reflector` or `spine`.
    pub role: String,
    /// Feeds are fresh; else everything is as of their last message.
    pub fresh: bool,
    /// Time of the newest message of any feed.
    pub heard: Option<String>,
    /// Health score 0–1.
    pub health: Option<f64>,
    /// At least 0.8.
    pub healthy: Option<bool>,
    /// What the score lost: why, and how much.
    pub penalties: Vec<(String, f64)>,
    /// The state summary; fixed text, words of the device quoted.
    pub summary: String,
    /// Alerts that are open.
    pub alerts: Vec<AlertView>,
    /// What its rules said last, oldest first.
    pub past: Vec<AlertView>,
    /// The device's gNMI subscriptions.
    #[serde(default)]
    pub subscriptions: Vec<SubscriptionView>,
    /// Names of its watch rules.
    pub rules: Vec<String>,
}

/// What a watch rule said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct AlertView {
    /// Rule.
    pub rule: String,
    /// What of the device.
    pub subject: String,
    /// True: raised; false: over.
    pub raised: bool,
    /// Bad since.
    pub since: String,
    /// When the rule said so.
    pub at: String,
    /// One sentence.
    pub text: String,
    /// The readings it rests on.
    pub samples: Vec<SampleView>,
}

/// One reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct SampleView {
    /// What; the unit stands last.
    pub metric: String,
    /// How much, as text.
    pub value: String,
    /// How much, where it is a quantity.
    pub number: Option<f64>,
    /// The value is a device's own words: shown as text only.
    pub device_words: bool,
    /// When it was taken.
    pub at: Option<String>,
    /// The path it came by.
    pub source: String,
}

/// What `chat` is told.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ChatArguments {
    /// Device id or host name.
    pub agent: String,
    /// The question.
    pub question: String,
}

/// What an agent answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ChatView {
    /// Device id.
    pub agent: String,
    /// Time of the picture that it rests on.
    pub at: String,
    /// The question was understood.
    pub understood: bool,
    /// `device_state`, `history`, `why_best` or `what_if`; none when the question was not understood.
    pub tool: Option<String>,
    /// The answer; words of a device stand quoted in it.
    pub text: String,
    /// The readings it rests on.
    pub samples: Vec<SampleView>,
    /// What can be asked; filled when the question was not understood.
    pub can_ask: Vec<String>,
}

impl From<&Sample> for SampleView {
    fn from(sample: &Sample) -> Self {
        Self {
            metric: sample.metric.clone(),
            value: sample.value.to_string(),
            number: if let Value::Number(n) = sample.value { Some(n) } else { None },
            device_words: matches!(sample.value, Value::DeviceText(_)),
            at: sample.at.map(|t| t.to_string()),
            source: sample.source.clone(),
        }
    }
}

impl From<&Alert> for AlertView {
    fn from(alert: &Alert) -> Self {
        Self {
            rule: alert.rule.clone(),
            subject: alert.subject.to_string(),
            raised: alert.change == AlertChange::Raised,
            since: alert.since.to_string(),
            at: alert.at.to_string(),
            text: alert.to_string(),
            samples: alert.samples.iter().map(SampleView::from).collect(),
        }
    }
}

impl From<&Answer> for ChatView {
    fn from(answer: &Answer) -> Self {
        let tool = |t: Tool| match t {
            Tool::DeviceState => "device_state",
            Tool::History => "history",
            Tool::WhyBest => "why_best",
            Tool::WhatIf => "what_if",
        };
        Self {
            agent: answer.device.to_string(),
            at: answer.at.to_string(),
            understood: answer.tool.is_some(),
            tool: answer.tool.map(|t| tool(t).to_owned()),
            text: answer.text.clone(),
            samples: answer.samples.iter().map(SampleView::from).collect(),
            can_ask: answer.can_ask.clone(),
        }
    }
}

/// Returns all agents, in order of the inventory.
pub(crate) fn agents(s: &PilotState) -> Vec<AgentView> {
    s.network.inventory.devices.iter().filter_map(|spec| view(s, &spec.id)).collect()
}

/// Returns the agent with this device id or host name.
pub(crate) fn agent(s: &PilotState, asked: &str) -> Result<AgentView, ApiError> {
    named(s, asked).and_then(|id| view(s, &id)).ok_or_else(|| nobody(asked))
}

fn nobody(asked: &str) -> ApiError {
    ApiError::new("PH-API-404", format!("there is no agent {:?}; see `pilotctl agents`", asked.chars().take(40).collect::<String>()))
}

fn named(s: &PilotState, asked: &str) -> Option<DeviceId> {
    let devices = &s.network.inventory.devices;
    devices.iter().find(|d| d.id.as_str() == asked || d.hostname == asked).map(|d| d.id.clone())
}

fn view(s: &PilotState, id: &DeviceId) -> Option<AgentView> {
    let (spec, device) = (s.network.inventory.device(id)?, s.network.devices.get(id)?);
    let health = health_of(s, id);
    let stale = |promised: bool, freshness: Freshness, stale: bool| (promised || freshness != Freshness::Unknown) && stale;
    let old = stale(spec.gnmi.is_some(), device.gnmi, device.gnmi_is_stale(s.now))
        || stale(spec.bmp.is_some(), device.bmp, device.bmp_is_stale(s.now));
    let penalties = health.iter().flat_map(|h| &h.parts).map(|p| (agent::penalty(&p.cause), f64::from(p.hundredths) / 100.0));
    let past: Vec<&Alert> = s.watch.log(id).rev().take(PAST_ALERTS).collect();
    Some(AgentView {
        id: id.to_string(),
        hostname: spec.hostname.clone(),
        role: agent::role(spec.role).to_owned(),
        fresh: !old,
        heard: device.gnmi.last().max(device.bmp.last()).map(|t| t.to_string()),
        health: health.as_ref().map(|h| h.score.get()),
        healthy: health.as_ref().map(perception::HealthScore::is_healthy),
        penalties: penalties.collect(),
        summary: agent::summary(&s.network, id, s.now)?,
        alerts: s.watch.open(id).map(AlertView::from).collect(),
        past: past.into_iter().rev().map(AlertView::from).collect(),
        subscriptions: SubscriptionView::of(&device.gnmi_session),
        rules: s.watch.rules().iter().map(|r| r.name.clone()).collect(),
    })
}

/// A question together with the picture that answers it: the answer may take the twin a while, and the engine does not wait for it.
pub(crate) struct Asked {
    device: DeviceId,
    question: String,
    network: network::Network,
    perception: perception::Perception,
    watch: agent::Watch,
    now: units::Timestamp,
}

/// Takes the picture for a question.
pub(crate) fn ask(s: &PilotState, a: ChatArguments) -> Result<Asked, ApiError> {
    let device = named(s, &a.agent).ok_or_else(|| nobody(&a.agent))?;
    let (network, perception, watch) = (s.network.clone(), s.perception.clone(), s.watch.clone());
    Ok(Asked { device, question: a.question, network, perception, watch, now: s.now })
}

impl Asked {
    /// Answers it.
    pub(crate) fn answer(&self) -> Result<ChatView, ApiError> {
        let look = Look { network: &self.network, perception: &self.perception, watch: &self.watch, now: self.now };
        let answer = agent::answer(&look, &self.device, &self.question);
        answer.as_ref().map(ChatView::from).ok_or_else(|| nobody(self.device.as_str()))
    }
}

#[cfg(test)]
mod tests;
