//! Policies of dialects that have branches, defaults and chains (Junos, IOS XR, OpenConfig) as terms of the model.
//!
//! A policy is written as steps with forward jumps; [`Program::finish`] makes terms of them. A jump becomes `Flow::Goto`, "not" becomes a
//! jump round, "or" becomes several terms. What was said so far (the route was passed, changes that take effect at the end) is part of
//! where a step stands: a step that is reached in two states becomes two terms.

use crate::{Condition, Flow, PolicyDefinition, PolicyResult, RouteAction, Statement, WiderAction, WiderCondition};
use std::collections::{BTreeMap, BTreeSet};

/// Terms that one policy may become; a policy of a hundred thousand lines has fewer. Beyond it the outcome is told as unknown.
const TERMS_MAX: usize = 400_000;
/// Different lists of changes that wait for the end of one policy; each doubles where it meets another.
const WAITING_MAX: usize = 1024;
/// Actions that a term takes over from where it leads to, so that "if this then set that, accept" is one term.
const INLINE_MAX: usize = 16;

/// A question about a route.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// Every one holds; none: always.
    All(Vec<Test>),
    /// At least one holds; none: never.
    Any(Vec<Test>),
    Not(Box<Test>),
    Is(Condition),
}

impl Test {
    pub const ALWAYS: Self = Self::All(Vec::new());

    /// A condition of the wider part, as written.
    pub fn wider(what: WiderCondition, line: impl Into<String>) -> Self {
        Self::Is(Condition::Wider { what, line: line.into() })
    }

    pub fn unmodelled(line: impl Into<String>) -> Self {
        Self::Is(Condition::Unmodelled(line.into()))
    }
}

/// An action of the wider part, as written.
pub(crate) fn wider(what: WiderAction, line: impl Into<String>) -> RouteAction {
    RouteAction::Wider { what, line: line.into() }
}

/// A place that is jumped to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label(usize);

#[derive(Debug)]
enum Step {
    Jump(Label),
    Branch(Vec<Condition>, Label),
    Set(RouteAction),
    Pass,
    Accept,
    Reject,
}

/// What happens to a route that reaches the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Accept,
    Reject,
    /// Accepted when it was passed or changed (IOS XR).
    IfPassed,
}

/// A policy under construction.
#[derive(Debug, Default)]
pub(crate) struct Program {
    steps: Vec<Step>,
    labels: Vec<usize>,
}

/// What a change touches, and a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    LocalPref,
    Med,
    Origin,
    Communities,
    LargeCommunities,
    ExtendedCommunities,
    AsPath,
    NextHop,
    Tag,
    Other,
}

fn looks_at(condition: &Condition) -> Option<Part> {
    Some(match condition {
        Condition::CommunitySet(_) => Part::Communities,
        Condition::PrefixSet(_) | Condition::Unmodelled(_) => return None,
        Condition::Wider { what, .. } => match what {
            WiderCondition::CommunitySetExact(_) => Part::Communities,
            WiderCondition::AsPathSet(_) => Part::AsPath,
            WiderCondition::LargeCommunitySet(_) | WiderCondition::LargeCommunitySetExact(_) => Part::LargeCommunities,
            WiderCondition::ExtendedCommunitySet(_) => Part::ExtendedCommunities,
            WiderCondition::NextHopPrefixSet(_) | WiderCondition::NextHopAccessList(_) | WiderCondition::NextHop(_) => Part::NextHop,
            WiderCondition::Med(_) => Part::Med,
            WiderCondition::LocalPref(_) => Part::LocalPref,
            WiderCondition::Origin(_) => Part::Origin,
            WiderCondition::Tag(_) => Part::Tag,
            WiderCondition::AccessList(_)
            | WiderCondition::Peer(_)
            | WiderCondition::PeerLocal
            | WiderCondition::SourceProtocol(_)
            | WiderCondition::Rpki(_)
            | WiderCondition::SourcePrefixSet(_)
            | WiderCondition::SourceAccessList(_)
            | WiderCondition::PrefixLength(_) => return None,
        },
    })
}

const fn touches(action: &RouteAction) -> Part {
    match action {
        RouteAction::SetLocalPref(_) => Part::LocalPref,
        RouteAction::SetMed(_) => Part::Med,
        RouteAction::SetOrigin(_) => Part::Origin,
        RouteAction::AddCommunities(_) | RouteAction::SetCommunities(_) | RouteAction::DeleteCommunities(_) => Part::Communities,
        RouteAction::Prepend(_) => Part::AsPath,
        RouteAction::SetNextHop(_) => Part::NextHop,
        RouteAction::SetWeight(_) | RouteAction::Unmodelled(_) => Part::Other,
        RouteAction::Wider { what, .. } => match what {
            WiderAction::AddMed(_) => Part::Med,
            WiderAction::AddLocalPref(_) => Part::LocalPref,
            WiderAction::PrependLastAs(_) | WiderAction::ExcludeAs(_) | WiderAction::ReplaceAs(_) => Part::AsPath,
            WiderAction::SetLargeCommunities(_) | WiderAction::AddLargeCommunities(_) | WiderAction::DeleteLargeCommunities(_) => {
                Part::LargeCommunities
            }
            WiderAction::AddExtended(_) | WiderAction::ClearExtended | WiderAction::SetBandwidth { .. } => Part::ExtendedCommunities,
            WiderAction::SetNextHopSelf | WiderAction::SetNextHopUnchanged => Part::NextHop,
            WiderAction::SetTag(_) => Part::Tag,
            WiderAction::Flow(_)
            | WiderAction::Call(_)
            | WiderAction::SetOriginator(_)
            | WiderAction::SetAtomicAggregate
            | WiderAction::SetAigp(_)
            | WiderAction::OutsideBgp
            | WiderAction::SetAggregator(..) => Part::Other,
        },
    }
}

/// Where a route is: the next step, whether it was passed, and which changes wait for the end (by number).
type Place = (usize, bool, u32);

/// What a term leads to.
enum Then {
    Accept,
    Reject,
    Go(Place),
}

impl Program {
    pub fn label(&mut self) -> Label {
        self.labels.push(usize::MAX);
        Label(self.labels.len() - 1)
    }

    /// Puts a label before the next step. Every jump to it stands before this.
    pub fn place(&mut self, label: Label) {
        self.labels[label.0] = self.steps.len();
    }

    pub fn jump(&mut self, to: Label) {
        self.steps.push(Step::Jump(to));
    }

    pub fn set(&mut self, action: RouteAction) {
        self.steps.push(Step::Set(action));
    }

    /// From here on the end accepts, where it asks.
    pub fn pass(&mut self) {
        self.steps.push(Step::Pass);
    }

    pub fn accept(&mut self) {
        self.steps.push(Step::Accept);
    }

    pub fn reject(&mut self) {
        self.steps.push(Step::Reject);
    }

    /// Number of steps so far.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Goes to `yes` when the test holds, else to `no`; both are placed later.
    pub fn test(&mut self, test: &Test, yes: Label, no: Label) {
        match test {
            Test::Is(condition) => {
                self.steps.push(Step::Branch(vec![condition.clone()], yes));
                self.jump(no);
            }
            Test::Not(inner) => self.test(inner, no, yes),
            Test::Any(list) => {
                for one in list {
                    if let Test::Is(condition) = one {
                        self.steps.push(Step::Branch(vec![condition.clone()], yes));
                        continue;
                    }
                    let next = self.label();
                    self.test(one, yes, next);
                    self.place(next);
                }
                self.jump(no);
            }
            Test::All(list) => {
                let plain: Vec<Condition> = list.iter().filter_map(|t| if let Test::Is(c) = t { Some(c.clone()) } else { None }).collect();
                let rest: Vec<&Test> = list.iter().filter(|t| !matches!(t, Test::Is(_))).collect();
                if !plain.is_empty() {
                    let next = if rest.is_empty() { yes } else { self.label() };
                    self.steps.push(Step::Branch(plain, next));
                    self.jump(no);
                    if rest.is_empty() {
                        return;
                    }
                    self.place(next);
                }
                for one in rest {
                    let next = self.label();
                    self.test(one, next, no);
                    self.place(next);
                }
                self.jump(yes);
            }
        }
    }

    /// Makes terms. `original`: conditions look at the route as it came to the policy, whatever was set before (IOS XR).
    pub fn finish(&self, end: End, original: bool) -> PolicyDefinition {
        Writer {
            program: self,
            end,
            late: if original { self.late() } else { BTreeSet::new() },
            waiting: vec![Vec::new()],
            too_many: false,
        }
        .write()
    }

    /// Parts that are set before some condition looks at them.
    fn late(&self) -> BTreeSet<Part> {
        let (mut set, mut late) = (BTreeSet::new(), BTreeSet::new());
        for step in &self.steps {
            match step {
                Step::Set(action) => drop(set.insert(touches(action))),
                Step::Branch(conditions, _) => late.extend(conditions.iter().filter_map(looks_at).filter(|p| set.contains(p))),
                Step::Jump(_) | Step::Pass | Step::Accept | Step::Reject => {}
            }
        }
        late
    }
}

struct Writer<'p> {
    program: &'p Program,
    end: End,
    late: BTreeSet<Part>,
    /// Changes that wait for the end, each list once; the first is empty.
    waiting: Vec<Vec<RouteAction>>,
    /// More of them than are followed.
    too_many: bool,
}

impl Writer<'_> {
    fn write(mut self) -> PolicyDefinition {
        let start = self.skip((0, false, 0));
        let mut todo = BTreeSet::from([start]);
        let mut places: BTreeMap<Place, u32> = BTreeMap::new();
        let mut out: Vec<(Statement, Option<Place>)> = Vec::new();
        while let Some(place) = todo.pop_first() {
            if out.len() >= TERMS_MAX {
                let sequence = out.len() as u32 + 1;
                let mut last = Statement::new(sequence, PolicyResult::Reject);
                last.conditions.push(Condition::Unmodelled(format!("the rest of a policy of more than {TERMS_MAX} terms")));
                out.push((last, None));
                places.insert(place, sequence);
                todo.clear();
                break;
            }
            places.insert(place, out.len() as u32 + 1);
            let follow = match self.program.steps.get(place.0) {
                Some(Step::Branch(conditions, yes)) => {
                    let yes = self.target(*yes);
                    let (actions, then) = self.follow((yes, place.1, place.2));
                    self.term(&mut out, &mut todo, conditions.clone(), actions, then);
                    Some(self.skip((place.0 + 1, place.1, place.2)))
                }
                _ => {
                    let (actions, then) = self.follow(place);
                    self.term(&mut out, &mut todo, Vec::new(), actions, then);
                    None
                }
            };
            // a branch that is not taken goes to the next term: make that the right one
            if let Some(next) = follow {
                todo.insert(next);
                if todo.first() != Some(&next) {
                    self.term(&mut out, &mut todo, Vec::new(), Vec::new(), Then::Go(next));
                }
            }
        }
        if self.too_many {
            let what = format!("a policy that changes what it looks at later in more than {WAITING_MAX} ways");
            let unknown = Statement { conditions: vec![Condition::Unmodelled(what)], ..Statement::new(0, PolicyResult::Reject) };
            return PolicyDefinition { statements: vec![unknown] };
        }
        let last = out.len() as u32;
        let sequence_of = |place: &Place| places.get(place).copied().unwrap_or(last);
        let statements = out.into_iter().map(|(mut statement, to)| {
            if let Some(to) = to {
                let to = sequence_of(&to);
                let flow = if to == statement.sequence + 1 { Flow::Next } else { Flow::Goto(to) };
                statement.actions.push(wider(WiderAction::Flow(flow), ""));
            }
            statement
        });
        PolicyDefinition { statements: statements.collect() }
    }

    fn term(
        &self,
        out: &mut Vec<(Statement, Option<Place>)>,
        todo: &mut BTreeSet<Place>,
        conditions: Vec<Condition>,
        actions: Vec<RouteAction>,
        then: Then,
    ) {
        let result = if matches!(then, Then::Reject) { PolicyResult::Reject } else { PolicyResult::Accept };
        let mut statement = Statement { conditions, actions, ..Statement::new(out.len() as u32 + 1, result) };
        let to = match then {
            Then::Accept => None,
            Then::Reject => {
                statement.actions.clear();
                None
            }
            Then::Go(place) => {
                todo.insert(place);
                Some(place)
            }
        };
        out.push((statement, to));
    }

    fn target(&self, label: Label) -> usize {
        self.program.labels.get(label.0).copied().unwrap_or(usize::MAX).min(self.program.steps.len())
    }

    /// Passes over what makes no term: jumps, passes, changes that wait.
    fn skip(&mut self, mut place: Place) -> Place {
        loop {
            match self.program.steps.get(place.0) {
                Some(Step::Jump(to)) => place.0 = self.target(*to).max(place.0 + 1),
                Some(Step::Pass) => (place.0, place.1) = (place.0 + 1, true),
                Some(Step::Set(action)) if self.late.contains(&touches(action)) => {
                    let mut list = self.waiting.get(place.2 as usize).cloned().unwrap_or_default();
                    list.push(action.clone());
                    let at = self.waiting.iter().position(|w| *w == list).unwrap_or_else(|| {
                        if self.waiting.len() >= WAITING_MAX {
                            self.too_many = true;
                            return 0;
                        }
                        self.waiting.push(list);
                        self.waiting.len() - 1
                    });
                    (place.0, place.1, place.2) = (place.0 + 1, true, at as u32);
                }
                _ => return place,
            }
        }
    }

    /// Takes changes over, up to the next branch or the end.
    fn follow(&mut self, place: Place) -> (Vec<RouteAction>, Then) {
        let mut actions = Vec::new();
        let mut place = self.skip(place);
        loop {
            let waiting = |s: &Self| s.waiting.get(place.2 as usize).cloned().unwrap_or_default();
            match self.program.steps.get(place.0) {
                Some(Step::Set(action)) if actions.len() < INLINE_MAX => {
                    actions.push(action.clone());
                    place = self.skip((place.0 + 1, true, place.2));
                }
                Some(Step::Accept) => {
                    actions.extend(waiting(self));
                    return (actions, Then::Accept);
                }
                Some(Step::Reject) => return (actions, Then::Reject),
                Some(_) => return (actions, Then::Go(place)),
                None => {
                    let accept = match self.end {
                        End::Accept => true,
                        End::Reject => false,
                        End::IfPassed => place.1,
                    };
                    actions.extend(waiting(self));
                    return (actions, if accept { Then::Accept } else { Then::Reject });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
