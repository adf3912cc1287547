use super::*;
use crate::BoundDevice;

const TTL: Duration = Duration::from_secs(300);
const P: ProposalId = ProposalId(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn binding() -> PlanBinding {
    let device = BoundDevice { device: "r1".into(), payload_sha256: "aa".into(), base_digest: "bb".into() };
    PlanBinding { devices: vec![device], policy_version: 1, twin_seq: 7 }
}

fn submission(n: u64, tier: AutonomyTier) -> Submission {
    let action = ActionType::LocalPrefAdjust;
    Submission { proposal: ProposalId(n), action, tier, target: "r1-ispb".into(), binding: binding() }
}

fn queue(tier: AutonomyTier) -> Queue {
    let mut q = Queue::new(41);
    q.submit(submission(1, tier), TTL, at(0)).unwrap();
    q
}

fn approval(by: &str) -> Approval {
    Approval { by: by.into(), shown_hash: binding().hash(), typed_target: None, automatic: false, change: ChangeId(9) }
}

#[test]
fn an_approval_makes_one_permit_bound_to_change_and_payload() {
    let mut q = queue(AutonomyTier::Tier2Approve);
    let permit = q.approve(P, approval("alice"), at(10)).unwrap();
    assert_eq!((permit.id(), permit.change(), permit.proposal()), (PermitId(42), ChangeId(9), P));
    assert_eq!(permit.plan_hash(), binding().hash());
    assert!(permit.describes("aa") && !permit.describes("ab"));
    assert!(permit.covers(&"r1".into(), "aa") && !permit.covers(&"r2".into(), "aa"));
    assert!(permit.valid_at(at(70)) && !permit.valid_at(at(71)) && !permit.valid_at(at(9)));
}

#[test]
fn of_two_decisions_one_wins_and_the_other_is_told_by_whom() {
    let mut q = queue(AutonomyTier::Tier2Approve);
    let _permit = q.approve(P, approval("alice"), at(10)).unwrap();
    let told = Refusal::Decided { proposal: P, how: "approved".into(), by: "alice".into(), at: at(10) };
    assert_eq!(q.approve(P, approval("bob"), at(10)).unwrap_err(), told);
    assert_eq!(q.reject(P, "bob".into(), RejectReason::TooRisky, at(11)).unwrap_err(), told);

    let mut q = queue(AutonomyTier::Tier2Approve);
    q.reject(P, "bob".into(), RejectReason::TooRisky, at(10)).unwrap();
    assert_eq!(q.approve(P, approval("alice"), at(10)).unwrap_err().code(), "PH-APPR-002");
    assert_eq!(q.agreement().overall(), crate::Counts { disagree: 1, ..Default::default() });
}

#[test]
fn expiry_applies_nothing_and_is_checked_even_before_its_tick() {
    let mut q = queue(AutonomyTier::Tier2Approve);
    assert_eq!(q.next_deadline(), Some(at(300)));
    assert!(q.expire(at(299)).is_empty());
    assert_eq!(q.approve(P, approval("alice"), at(300)).unwrap_err(), Refusal::Expired { proposal: P, expired: at(300) });

    let mut q = queue(AutonomyTier::Tier2Approve);
    assert_eq!(q.expire(at(300)), [P]);
    assert!(q.expire(at(301)).is_empty());
    assert_eq!(q.approve(P, approval("alice"), at(301)).unwrap_err().code(), "PH-APPR-003");
    assert_eq!(q.agreement().overall().reviewed(), 0);
    assert_eq!(q.next_deadline(), None);
}

#[test]
fn the_hash_that_was_shown_must_be_the_hash_of_the_plan() {
    let mut q = queue(AutonomyTier::Tier2Approve);
    let stale = Approval { shown_hash: "00".into(), ..approval("alice") };
    assert_eq!(q.approve(P, stale, at(1)).unwrap_err().code(), "PH-APPR-005");
    assert_eq!(q.get(P).unwrap().status, Status::Pending);
}

#[test]
fn tier_3_wants_the_target_typed_and_a_reason_for_no() {
    let mut q = queue(AutonomyTier::Tier3Manual);
    assert_eq!(q.approve(P, approval("alice"), at(1)).unwrap_err().code(), "PH-APPR-006");
    let typed = |t: &str| Approval { typed_target: Some(t.into()), ..approval("alice") };
    assert_eq!(q.approve(P, typed("r1-ispa"), at(1)).unwrap_err().code(), "PH-APPR-006");
    assert_eq!(q.reject(P, "alice".into(), RejectReason::Unspecified, at(1)).unwrap_err().code(), "PH-APPR-007");
    assert!(q.approve(P, typed(" r1-ispb "), at(1)).is_ok());
}

#[test]
fn an_automatic_approval_is_no_agreement() {
    let mut q = queue(AutonomyTier::Tier2Approve);
    let _permit = q.approve(P, Approval { automatic: true, ..approval("auto-approve uid:0") }, at(1)).unwrap();
    assert_eq!(q.agreement().overall(), crate::Counts { automatic: 1, ..Default::default() });
    assert_eq!(q.agreement().overall().rate(), None);
}

#[test]
fn drift_of_the_device_or_the_policy_withdraws_and_says_why() {
    let why = |change: fn(&mut PlanBinding)| {
        let mut q = queue(AutonomyTier::Tier2Approve);
        assert!(q.revalidate(P, &binding(), at(1)));
        let mut actual = binding();
        change(&mut actual);
        assert!(!q.revalidate(P, &actual, at(2)));
        match &q.get(P).unwrap().status {
            Status::Superseded { why, .. } => why.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(why(|b| b.devices[0].base_digest = "cc".into()), "the configuration of r1 changed since the proposal was made");
    assert_eq!(why(|b| b.policy_version = 2), "the guard policy went from version 1 to 2");
    assert_eq!(why(|b| b.devices[0].payload_sha256 = "cc".into()), "the payload is no longer the same");
    assert_eq!(why(|b| b.twin_seq = 8), "the twin judged input 7, not 8");
}

#[test]
fn a_clock_behind_the_proposal_approves_nothing() {
    let mut q = queue(AutonomyTier::Tier2Approve);
    assert_eq!(q.approve(P, approval("alice"), at(-1)).unwrap_err().code(), "PH-APPR-008");
    assert_eq!(q.supersede_all("the clock is behind the ledger", at(-1)), [P]);
    assert_eq!(q.approve(P, approval("alice"), at(1)).unwrap_err().code(), "PH-APPR-004");
}

#[test]
fn the_queue_is_bounded_and_forgets_only_what_is_decided() {
    let mut q = Queue::default();
    for n in 0..MAX_PENDING as u64 {
        q.submit(submission(n, AutonomyTier::Tier2Approve), TTL, at(0)).unwrap();
    }
    assert_eq!(q.submit(submission(999, AutonomyTier::Tier2Approve), TTL, at(0)).unwrap_err().code(), "PH-APPR-009");
    assert_eq!(q.submit(submission(3, AutonomyTier::Tier2Approve), TTL, at(0)).unwrap_err().code(), "PH-APPR-010");
    for n in 1000..1000 + 2 * MAX_DECIDED as u64 {
        q.supersede(ProposalId(if n == 1000 { 0 } else { n - 1 }), "test", at(1));
        q.submit(submission(n, AutonomyTier::Tier2Approve), TTL, at(1)).unwrap();
    }
    assert_eq!(q.pending().count(), MAX_PENDING);
    assert!(q.items().count() <= MAX_PENDING + MAX_DECIDED);
}

#[test]
fn permit_numbers_never_repeat_and_the_queue_survives_json() {
    let mut q = queue(AutonomyTier::Tier2Approve);
    let first = q.approve(P, approval("alice"), at(1)).unwrap().id();
    let mut q: Queue = serde_json::from_str(&serde_json::to_string(&q).unwrap()).unwrap();
    q.submit(submission(2, AutonomyTier::Tier2Approve), TTL, at(2)).unwrap();
    let second = q.approve(ProposalId(2), approval("alice"), at(3)).unwrap().id();
    assert!(second > first);
}
