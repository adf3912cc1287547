//! A safe order for changes of several steps: one in which the network is sound after every step.

use serde::Serialize;
use std::collections::BTreeMap;

/// Steps that are ordered; every subset of them may have to be solved.
pub const STEPS_MAX: usize = 10;

/// A state between the first step and the last that is not sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsound {
    /// Steps done by then, from 0.
    pub done: Vec<usize>,
    /// What is wrong then.
    pub why: String,
}

/// What the search for an order came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Every state of this order is sound.
    Found {
        /// Steps, from 0.
        order: Vec<usize>,
        /// States looked at.
        states: usize,
        /// States that other orders would go through and that are not sound.
        avoided: Vec<Unsound>,
    },
    /// No order is sound in every state.
    None {
        /// The states that stand in the way.
        failing: Vec<Unsound>,
    },
    /// More steps than are ordered.
    TooMany {
        /// How many.
        steps: usize,
    },
}

/// Searches an order of steps in which `wrong` finds nothing after any step. The order as given is tried first. The steps done are given in
/// ascending order: what they do together must not depend on the order they were done in, which holds for steps on different objects.
pub fn safe_order<E>(steps: usize, mut wrong: impl FnMut(&[usize]) -> Result<Option<String>, E>) -> Result<Order, E> {
    if steps > STEPS_MAX {
        return Ok(Order::TooMany { steps });
    }
    let mut known: BTreeMap<u32, Option<String>> = BTreeMap::new();
    let mut order = Vec::new();
    let found = extend(steps, 0, &mut order, &mut known, &mut wrong)?;
    let done = |state: u32| (0..steps).filter(|s| state & (1 << s) != 0).collect::<Vec<_>>();
    let states = known.len();
    let failing: Vec<Unsound> = known.into_iter().filter_map(|(state, why)| Some(Unsound { done: done(state), why: why? })).collect();
    Ok(if found { Order::Found { order, states, avoided: failing } } else { Order::None { failing } })
}

fn extend<E>(
    steps: usize,
    state: u32,
    order: &mut Vec<usize>,
    known: &mut BTreeMap<u32, Option<String>>,
    wrong: &mut impl FnMut(&[usize]) -> Result<Option<String>, E>,
) -> Result<bool, E> {
    if order.len() == steps {
        return Ok(true);
    }
    for step in (0..steps).filter(|s| state & (1 << s) == 0) {
        let next = state | 1 << step;
        // a state that was seen did not lead to the end, or is not sound
        if known.contains_key(&next) {
            continue;
        }
        let done: Vec<usize> = (0..steps).filter(|s| next & (1 << s) != 0).collect();
        let why = wrong(&done)?;
        let sound = why.is_none();
        known.insert(next, why);
        if sound {
            order.push(step);
            if extend(steps, next, order, known, wrong)? {
                return Ok(true);
            }
            order.pop();
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(steps: usize, wrong: impl Fn(&[usize]) -> bool) -> Order {
        safe_order::<()>(steps, |done| Ok(wrong(done).then(|| "no way out".to_owned()))).unwrap()
    }

    #[test]
    fn the_order_as_given_is_kept_where_it_is_sound() {
        assert_eq!(ordered(3, |_| false), Order::Found { order: vec![0, 1, 2], states: 3, avoided: vec![] });
    }

    #[test]
    fn a_break_before_make_is_turned_round() {
        // step 0 breaks unless step 1 was made
        let found = ordered(2, |done| done == [0]);
        assert!(matches!(&found, Order::Found { order, avoided, .. } if order == &[1, 0] && avoided.len() == 1), "{found:?}");
    }

    #[test]
    fn without_an_order_the_states_in_the_way_are_named() {
        let Order::None { failing } = ordered(3, |done| done.len() == 2) else { panic!("no order is sound") };
        assert_eq!(failing.iter().map(|f| f.done.clone()).collect::<Vec<_>>(), [vec![0, 1], vec![0, 2], vec![1, 2]]);
        assert_eq!(ordered(11, |_| false), Order::TooMany { steps: 11 });
    }
}
