//! Between the steps of a change the network is sound too.

use crate::order::{Order, Unsound};
use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row, Verdict};

/// Says what is wrong with a state between the steps; `None`: it is sound. Reachability, loops, leaks and capacity are looked at; the scope
/// and the shape of policies are questions about the whole.
#[must_use]
pub fn wrong(e: &Evidence<'_>) -> Option<String> {
    use crate::check as c;
    let checks = [c::reach::reachability, c::stable::stability, c::leak::leaks, c::capacity::capacity];
    let blocked: Vec<String> =
        checks.iter().map(|check| check(e)).filter(|c| c.verdict == Verdict::Block).map(|c| format!("{} {}", c.id, c.sentence)).collect();
    (!blocked.is_empty()).then(|| blocked.join("; "))
}

/// Judges what the search for an order came to. `names` are the steps in words.
#[must_use]
pub fn passage(order: &Order, names: &[String]) -> Check {
    let mut found = Found::default();
    let name = |s: &usize| names.get(*s).cloned().unwrap_or_else(|| format!("step {}", s + 1));
    let list = |steps: &[usize]| steps.iter().map(name).collect::<Vec<_>>().join(", then ");
    let state = |u: &Unsound| format!("after {}: {}", u.done.iter().map(name).collect::<Vec<_>>().join(" and "), u.why);
    let fine = match order {
        Order::Found { order, states, avoided } => {
            let given = order.iter().copied().eq(0..order.len());
            let lead = if given { "safe in the order given" } else { "safe in this order only" };
            let why = if given { String::new() } else { avoided.first().map(|u| format!("; otherwise {}", state(u))).unwrap_or_default() };
            format!("{lead}: {} ({states} states checked){why}", list(order))
        }
        Order::None { failing } => {
            failing.iter().for_each(|u| found.block(Row::all(state(u))));
            String::new()
        }
        Order::TooMany { steps } => {
            found.block(Row::all(format!("{steps} steps are more than are ordered ({})", crate::order::STEPS_MAX)));
            String::new()
        }
    };
    found.check(CheckId::ORDER, fine, "no safe order")
}
