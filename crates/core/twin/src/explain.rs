//! Why a router chose what it chose: the simulator's explanation, with what becomes of packets.

use crate::forward::worst;
use crate::{ForwardingResult, Twin};
use action::DeviceId;
use bgp::{Family, Prefix};
use preflight::World;
use routing::Step;
use std::collections::BTreeMap;

/// One router's choice for one prefix, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The router.
    pub device: DeviceId,
    /// The prefix.
    pub prefix: Prefix,
    /// The choice: deciding step with both values, every loser, the policies on the way.
    pub choice: routing::Explanation,
    /// What becomes of packets.
    pub forwarding: ForwardingResult,
    /// Another order of arrival could choose otherwise.
    pub order_dependent: bool,
}

impl Explanation {
    /// Returns the explanation line by line: the same text wherever it is shown.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut out = self.choice.lines();
        out.push(format!("  packets go to {}", self.forwarding));
        if self.order_dependent {
            out.push("  another order of arrival could choose otherwise".to_owned());
        }
        out
    }
}

impl Twin<'_> {
    /// Explains the choice of `device` for `prefix`; `None` when nobody knows the prefix.
    #[must_use]
    pub fn explain(&self, device: &DeviceId, prefix: &Prefix) -> Option<Explanation> {
        self.explained(&self.world, self.picture.index(device)?, prefix)
    }

    pub(crate) fn explained(&self, world: &World<'_>, router: usize, prefix: &Prefix) -> Option<Explanation> {
        let solved = world.of(prefix.family());
        let choice = solved.plane.explain_choice(&mut solved.solution.clone(), router, prefix)?;
        let forwarding = worst(&self.ways(world, router, prefix));
        let order_dependent = self.open(world).contains(&(router, *prefix));
        Some(Explanation { device: self.picture.devices.get(router)?.clone(), prefix: *prefix, choice, forwarding, order_dependent })
    }

    /// Returns the prefixes that `device` has a best path to, by the step of its last comparison.
    #[must_use]
    pub fn steps(&self, device: &DeviceId) -> BTreeMap<Step, Vec<Prefix>> {
        let mut out: BTreeMap<Step, Vec<Prefix>> = BTreeMap::new();
        let Some(router) = self.picture.index(device) else { return out };
        for solved in [Family::Ipv4Unicast, Family::Ipv6Unicast].map(|f| self.world.of(f)) {
            for (number, class) in solved.solution.classes.iter().enumerate() {
                if let Some(step) = solved.plane.step(&solved.solution, router, number) {
                    out.entry(step).or_default().extend(class.prefixes.iter());
                }
            }
        }
        out.values_mut().for_each(|prefixes| prefixes.sort_unstable());
        out
    }
}

#[cfg(test)]
mod tests;
