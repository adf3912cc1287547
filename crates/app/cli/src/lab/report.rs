//! What a scenario shows at its end.

use serde::Serialize;
use std::collections::BTreeMap;

/// Times of the steps, seconds after the fault.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seconds {
    /// The finding was opened.
    pub detect: Option<f64>,
    /// A proposal was on the queue.
    pub propose: Option<f64>,
    /// It was approved.
    pub approve: Option<f64>,
    /// The devices hold it provisionally.
    pub applied: Option<f64>,
    /// The path was measured.
    pub verified: Option<f64>,
    /// The change was over.
    pub ended: Option<f64>,
}

/// The end of a scenario.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// `confirmed`, `rolled_back`, `failed`, `partial`, `in_doubt`, `no_action`, `no_finding` or `timeout`.
    pub outcome: String,
    /// The proposal in one sentence.
    pub summary: String,
    /// The numbers of the verdict, or why nothing was done.
    pub why: String,
    /// Forward delay of the paths that moved, milliseconds.
    pub delay_ms_before: Option<f64>,
    /// After.
    pub delay_ms_after: Option<f64>,
    /// Loss, 0–1.
    pub loss_before: Option<f64>,
    /// After.
    pub loss_after: Option<f64>,
    /// What was predicted, before → after.
    pub predicted_delay_ms: Option<(f64, f64)>,
    /// What was predicted, before → after.
    pub predicted_loss: Option<(f64, f64)>,
    /// Times.
    pub seconds: Seconds,
    /// Routes of the twin equal to the router's: device, equal, compared.
    pub agreement_before: Vec<(String, u64, u64)>,
    /// After the end.
    pub agreement_after: Vec<(String, u64, u64)>,
    /// The twin's tables against the routers' own, asked over vtysh at the end; on real routers only.
    pub tables: Vec<super::tables::Row>,
    /// The measured paths after the change, beside what was predicted of them.
    pub paths: Vec<pilot::PathOutcome>,
    /// Paths whose delay came out within its predicted interval, of those predicted and measured.
    pub paths_within: Option<(u64, u64)>,
    /// Predicted minus measured delay after the change, milliseconds.
    pub delay_error_ms: Option<f64>,
    /// Moved prefixes that leave by the predicted exit on the spines' own tables, of all that were predicted to move.
    pub exits: Option<(usize, usize)>,
    /// The same as the engine learned it from the tables that it was told.
    pub exits_learned: Option<(u64, u64)>,
    /// Outbound traffic per exit after the end, bit/s, as the routers' flow accounting told it; after `fill` only.
    pub outbound_bps: BTreeMap<String, f64>,
    /// Messages that each topic took.
    pub topics: BTreeMap<String, u64>,
    /// The audit chain holds.
    pub audit_ok: bool,
    /// Its records.
    pub audit_records: usize,
    /// State hash that a replay of the capture must reach.
    pub state_hash: String,
    /// The capture.
    pub capture: String,
}

impl Report {
    /// Prints it, as one JSON document or as text.
    pub fn print(&self, json: bool) {
        if json {
            crate::engine::print_json(self);
            return;
        }
        println!("outcome   {}", self.outcome);
        if !self.summary.is_empty() {
            println!("change    {}", self.summary);
        }
        if !self.why.is_empty() {
            println!("because   {}", self.why);
        }
        let number = |v: Option<f64>, scale: f64| v.map_or_else(|| "unknown".to_owned(), |v| format!("{:.2}", v * scale));
        println!("delay     {} → {} ms", number(self.delay_ms_before, 1.0), number(self.delay_ms_after, 1.0));
        println!("loss      {} → {} %", number(self.loss_before, 100.0), number(self.loss_after, 100.0));
        let s = &self.seconds;
        let time = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| format!("{v:.1} s"));
        println!(
            "times     detect {} · propose {} · approve {} · applied {} · verified {} · ended {}",
            time(s.detect),
            time(s.propose),
            time(s.approve),
            time(s.applied),
            time(s.verified),
            time(s.ended)
        );
        let agreement = |rows: &[(String, u64, u64)]| rows.iter().map(|(d, e, c)| format!("{d} {e}/{c}")).collect::<Vec<_>>().join(" ");
        println!("twin      before {} · after {}", agreement(&self.agreement_before), agreement(&self.agreement_after));
        for row in &self.tables {
            let (device, compared) = (&row.device, row.compared);
            println!("tables    {device}: {} of {compared} best paths and {} exits as on the router", row.equal, row.same_exit);
            row.differences.iter().for_each(|d| println!("          {d}"));
        }
        if let (Some((within, all)), Some(error)) = (self.paths_within, self.delay_error_ms) {
            println!("predicted {within} of {all} paths within their interval; delay off by {error:.2} ms");
        }
        if let Some((did, predicted)) = self.exits {
            println!("exits     {did} of {predicted} moved prefixes leave as predicted");
        }
        println!("audit     {} records, {}", self.audit_records, if self.audit_ok { "chain intact" } else { "CHAIN BROKEN" });
        println!("state     {}", self.state_hash);
    }
}
