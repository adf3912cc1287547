//! Proposals that wait for people.
//!
//! ```text
//! Pending ─approve─► Granted     ─reject─► Rejected     ─time─► Expired     ─network or policy moved─► Superseded
//! ```
//! Every end is final.

use action::{ActionType, AutonomyTier, ChangeId, OperatorId, ProposalId};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

use crate::{Agreement, Feedback, Permit, PermitId, PlanBinding, Refusal, RejectReason};

/// How many proposals may wait; more than an operator can judge within one time to live.
pub const MAX_PENDING: usize = 64;
/// How many decided proposals are remembered here; the ledger keeps all.
pub const MAX_DECIDED: usize = 256;

/// What is put on the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The proposal.
    pub proposal: ProposalId,
    /// Which of the twelve.
    pub action: ActionType,
    /// Who must agree, after the guardrails.
    pub tier: AutonomyTier,
    /// What a Tier 3 approver types (an exit, a provider, a router).
    pub target: String,
    /// What the approval rests on.
    pub binding: PlanBinding,
}

/// One proposal on the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What was submitted.
    #[serde(flatten)]
    pub submission: Submission,
    /// Hash of the plan; an approval names it.
    pub plan_hash: String,
    /// When it was queued.
    pub created: Timestamp,
    /// From this time on it can no longer be approved.
    pub expires: Timestamp,
    /// Where it stands.
    pub status: Status,
}

/// Where a proposal stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Status {
    /// It waits.
    Pending,
    /// Somebody agreed.
    Granted {
        /// Who.
        by: OperatorId,
        /// When.
        at: Timestamp,
        /// The permit that came of it.
        permit: PermitId,
        /// A program agreed on the operator's order.
        automatic: bool,
    },
    /// Somebody refused.
    Rejected {
        /// Who.
        by: OperatorId,
        /// When.
        at: Timestamp,
        /// Why.
        reason: RejectReason,
    },
    /// Nobody answered in time. Nothing was applied.
    Expired {
        /// When it expired.
        at: Timestamp,
    },
    /// The network or the policy moved on. Nothing was applied.
    Superseded {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

/// An approval as it arrives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: OperatorId,
    /// The plan hash that was on the screen.
    pub shown_hash: String,
    /// Tier 3: the target as typed.
    pub typed_target: Option<String>,
    /// Given by a program on the operator's order; never counts as agreement.
    pub automatic: bool,
    /// The change that the permit shall be for.
    pub change: ChangeId,
}

/// The queue and what it learned about agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    items: BTreeMap<ProposalId, Item>,
    permits_made: u64,
    agreement: Agreement,
}

impl Queue {
    /// Makes an empty queue whose permits are numbered after `permits_made` (the highest number that the ledger has burnt).
    #[must_use]
    pub fn new(permits_made: u64) -> Self {
        Self { permits_made, ..Self::default() }
    }

    /// Queues a proposal for `ttl`.
    ///
    /// # Errors
    /// [`Refusal::Duplicate`] and [`Refusal::Full`].
    pub fn submit(&mut self, submission: Submission, ttl: Duration, now: Timestamp) -> Result<&Item, Refusal> {
        let proposal = submission.proposal;
        if self.items.contains_key(&proposal) {
            return Err(Refusal::Duplicate { proposal });
        }
        let pending = self.pending().count();
        if pending >= MAX_PENDING {
            return Err(Refusal::Full { proposal, pending });
        }
        self.forget_oldest();
        let plan_hash = submission.binding.hash();
        let item = Item { submission, plan_hash, created: now, expires: now.plus(ttl), status: Status::Pending };
        Ok(self.items.entry(proposal).or_insert(item))
    }

    /// Approves a proposal and makes the permit for its change.
    ///
    /// # Errors
    /// Every [`Refusal`] but `ReasonNeeded`, `Full` and `Duplicate`; the proposal is then as it was, or expired.
    pub fn approve(&mut self, proposal: ProposalId, approval: Approval, now: Timestamp) -> Result<Permit, Refusal> {
        let item = open(&mut self.items, proposal, now)?;
        if approval.shown_hash != item.plan_hash {
            return Err(Refusal::OtherPlan { proposal, shown: approval.shown_hash, actual: item.plan_hash.clone() });
        }
        let typed = approval.typed_target.as_deref().map(str::trim);
        if item.submission.tier == AutonomyTier::Tier3Manual && typed != Some(item.submission.target.as_str()) {
            return Err(Refusal::TargetNotTyped { proposal, target: item.submission.target.clone() });
        }
        self.permits_made = self.permits_made.saturating_add(1);
        let id = PermitId(self.permits_made);
        item.status = Status::Granted { by: approval.by.clone(), at: now, permit: id, automatic: approval.automatic };
        let (action, tier) = (item.submission.action, item.submission.tier);
        if approval.automatic {
            self.agreement.record_automatic(action, tier);
        } else {
            self.agreement.record(action, tier, Feedback::Agree);
        }
        Ok(Permit::grant(id, approval.change, proposal, &item.submission.binding, approval.by, now))
    }

    /// Rejects a proposal.
    ///
    /// # Errors
    /// [`Refusal::ReasonNeeded`] for Tier 3 without a reason; the refusals of an item that is not open.
    pub fn reject(&mut self, proposal: ProposalId, by: OperatorId, reason: RejectReason, now: Timestamp) -> Result<(), Refusal> {
        let item = open(&mut self.items, proposal, now)?;
        if item.submission.tier == AutonomyTier::Tier3Manual && reason == RejectReason::Unspecified {
            return Err(Refusal::ReasonNeeded { proposal });
        }
        item.status = Status::Rejected { by, at: now, reason };
        self.agreement.record(item.submission.action, item.submission.tier, Feedback::Disagree);
        self.agreement.record_reason(reason);
        Ok(())
    }

    /// Ends every proposal whose time is over at `now`, and returns them. Expiry applies nothing.
    pub fn expire(&mut self, now: Timestamp) -> Vec<ProposalId> {
        let over = |i: &Item| now >= i.expires;
        self.end_pending(over, |_| Status::Expired { at: now })
    }

    /// Withdraws a proposal that waits; says whether it did.
    pub fn supersede(&mut self, proposal: ProposalId, why: &str, now: Timestamp) -> bool {
        let this = |i: &Item| i.submission.proposal == proposal;
        !self.end_pending(this, |_| Status::Superseded { at: now, why: why.to_owned() }).is_empty()
    }

    /// Withdraws every proposal that waits (after a restart with a clock behind the ledger, or when the policy changed).
    pub fn supersede_all(&mut self, why: &str, now: Timestamp) -> Vec<ProposalId> {
        self.end_pending(|_| true, |_| Status::Superseded { at: now, why: why.to_owned() })
    }

    /// Compares what a waiting proposal rests on with what is true now, and withdraws it when they differ; says whether it still stands.
    pub fn revalidate(&mut self, proposal: ProposalId, actual: &PlanBinding, now: Timestamp) -> bool {
        let Some(item) = self.items.get(&proposal).filter(|i| i.status == Status::Pending) else { return false };
        match difference(&item.submission.binding, actual) {
            None => true,
            Some(why) => {
                self.supersede(proposal, &why, now);
                false
            }
        }
    }

    /// Returns a proposal.
    #[must_use]
    pub fn get(&self, proposal: ProposalId) -> Option<&Item> {
        self.items.get(&proposal)
    }

    /// Returns every remembered proposal, by number.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// Returns those that wait, by number.
    pub fn pending(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|i| i.status == Status::Pending)
    }

    /// Returns the agreement counts.
    #[must_use]
    pub const fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// Returns the agreement counts, to count feedback that came another way (a modified action is `Partial`).
    pub const fn agreement_mut(&mut self) -> &mut Agreement {
        &mut self.agreement
    }

    /// Returns when [`Queue::expire`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.pending().map(|i| i.expires).min()
    }

    fn end_pending(&mut self, wanted: impl Fn(&Item) -> bool, status: impl Fn(&Item) -> Status) -> Vec<ProposalId> {
        let mut ended = Vec::new();
        for (proposal, item) in &mut self.items {
            if item.status == Status::Pending && wanted(item) {
                item.status = status(item);
                ended.push(*proposal);
            }
        }
        ended
    }

    fn forget_oldest(&mut self) {
        let decided = |i: &&Item| i.status != Status::Pending;
        if self.items.values().filter(decided).count() >= MAX_DECIDED
            && let Some(oldest) = self.items.values().find(decided).map(|i| i.submission.proposal)
        {
            self.items.remove(&oldest);
        }
    }
}

/// Returns the item when it can be decided at `now`; one whose time is over expires here, even before the tick that would have told so.
fn open(items: &mut BTreeMap<ProposalId, Item>, proposal: ProposalId, now: Timestamp) -> Result<&mut Item, Refusal> {
    let item = items.get_mut(&proposal).ok_or(Refusal::Unknown { proposal })?;
    if item.status == Status::Pending && now >= item.expires {
        item.status = Status::Expired { at: now };
    }
    match &item.status {
        Status::Pending if now < item.created => Err(Refusal::ClockBack { proposal, created: item.created, now }),
        Status::Pending => Ok(item),
        Status::Granted { by, at, .. } => Err(Refusal::Decided { proposal, how: "approved".into(), by: by.clone(), at: *at }),
        Status::Rejected { by, at, .. } => Err(Refusal::Decided { proposal, how: "rejected".into(), by: by.clone(), at: *at }),
        Status::Expired { .. } => Err(Refusal::Expired { proposal, expired: item.expires }),
        Status::Superseded { why, .. } => Err(Refusal::Superseded { proposal, why: why.clone() }),
    }
}

/// Says in words what differs, the most telling first.
fn difference(bound: &PlanBinding, actual: &PlanBinding) -> Option<String> {
    if bound.policy_version != actual.policy_version {
        return Some(format!("the guard policy went from version {} to {}", bound.policy_version, actual.policy_version));
    }
    let drifted = bound.devices.iter().zip(&actual.devices).find(|(b, a)| b.device == a.device && b.base_digest != a.base_digest);
    if let Some((device, _)) = drifted {
        return Some(format!("the configuration of {} changed since the proposal was made", device.device));
    }
    if bound.devices != actual.devices {
        return Some("the payload is no longer the same".to_owned());
    }
    (bound != actual).then(|| format!("the twin judged input {}, not {}", bound.twin_seq, actual.twin_seq))
}

#[cfg(test)]
mod tests;
