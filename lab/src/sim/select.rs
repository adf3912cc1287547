//! The decision process (RFC 4271 §9.1.2.2, RFC 4456 §9) in the order in which FRR 8.4 takes its steps.

use bgp::PathAttributes;
use config::BestPath;
use std::cmp::{Ordering, Reverse};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Where a path came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A `network` statement.
    Local,
    /// A neighbour of another AS.
    External(IpAddr),
    /// A neighbour of the same AS.
    Internal(IpAddr),
}

impl Source {
    /// Returns the neighbour's address.
    #[must_use]
    pub const fn neighbor(self) -> Option<IpAddr> {
        match self {
            Self::Local => None,
            Self::External(a) | Self::Internal(a) => Some(a),
        }
    }
}

/// A path that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it came from.
    pub source: Source,
    /// After import policy.
    pub attributes: Arc<PathAttributes>,
    /// Weight, local to the router.
    pub weight: u32,
    /// BGP identifier of the neighbour, or the own one.
    pub router_id: Ipv4Addr,
    /// IGP cost to the next hop.
    pub metric: u32,
}

/// What of a router's configuration the choice depends on.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    /// Switches.
    pub knobs: &'r BestPath,
    /// LOCAL_PREF of a path without one.
    pub local_pref: u32,
}

impl Rules<'_> {
    /// Chooses among paths; `selected` is where the present choice came from: of two external paths that are equal up to the IGP cost it
    /// stays (FRR's "oldest").
    #[must_use]
    pub fn best(&self, paths: &[Path], selected: Option<Source>) -> Option<usize> {
        (0..paths.len()).reduce(|best, i| if self.compare(&paths[i], &paths[best], selected).is_lt() { i } else { best })
    }

    fn compare(&self, a: &Path, b: &Path, selected: Option<Source>) -> Ordering {
        let key = |p: &Path| {
            (
                Reverse(p.weight),
                Reverse(p.attributes.local_pref.unwrap_or(self.local_pref)),
                p.source != Source::Local,
                if self.knobs.as_path_ignore { 0 } else { p.attributes.as_path.length() },
                p.attributes.origin,
            )
        };
        key(a).cmp(&key(b)).then_with(|| self.med(a, b)).then_with(|| nearness(a).cmp(&nearness(b))).then_with(|| self.tie(a, b, selected))
    }

    /// MEDs are compared between paths of one neighbouring AS only.
    fn med(&self, a: &Path, b: &Path) -> Ordering {
        let (x, y) = (a.attributes.as_path.neighbour(), b.attributes.as_path.neighbour());
        let both_own = a.attributes.as_path.length() == 0 && b.attributes.as_path.length() == 0;
        let missing = if self.knobs.med_missing_as_worst { u32::MAX } else { 0 };
        let med = |p: &Path| p.attributes.med.unwrap_or(missing);
        if self.knobs.always_compare_med || both_own || (x.is_some() && x == y) { med(a).cmp(&med(b)) } else { Ordering::Equal }
    }

    fn tie(&self, a: &Path, b: &Path, selected: Option<Source>) -> Ordering {
        let external = matches!((a.source, b.source), (Source::External(_), Source::External(_)));
        if external && !self.knobs.compare_router_id && (selected == Some(a.source) || selected == Some(b.source)) {
            return if selected == Some(a.source) { Ordering::Less } else { Ordering::Greater };
        }
        let last = |p: &Path| (p.attributes.originator_id.unwrap_or(p.router_id), p.attributes.cluster_list.len(), p.source.neighbor());
        last(a).cmp(&last(b))
    }
}

/// External before internal, then the nearer exit.
fn nearness(p: &Path) -> (bool, u32) {
    (matches!(p.source, Source::Internal(_)), p.metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(source: Source, local_pref: u32, as_path: &str) -> Path {
        let attributes = PathAttributes { local_pref: Some(local_pref), as_path: as_path.parse().unwrap(), ..PathAttributes::default() };
        Path { source, attributes: Arc::new(attributes), weight: 0, router_id: Ipv4Addr::new(1, 1, 1, 1), metric: 0 }
    }

    fn external(n: u8) -> Source {
        Source::External(IpAddr::V4(Ipv4Addr::new(172, 31, n, 1)))
    }

    fn internal(n: u8) -> Source {
        Source::Internal(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)))
    }

    fn better(paths: &[Path], selected: Option<Source>) -> Source {
        let knobs = BestPath::default();
        let rules = Rules { knobs: &knobs, local_pref: 100 };
        paths[rules.best(paths, selected).unwrap()].source
    }

    #[test]
    fn each_step_decides_only_where_the_steps_before_are_equal() {
        let far = Path { metric: 20, ..path(internal(2), 200, "1 2") };
        let steps = [
            (path(external(1), 150, "1 2 3"), path(external(2), 140, "1")),
            (path(external(1), 150, "1 2"), path(external(2), 150, "1 2 3")),
            (path(external(9), 150, "1 2"), path(internal(1), 150, "3 2")),
            (Path { metric: 10, ..path(internal(9), 200, "1 2") }, far),
            (path(internal(1), 150, "1 2"), path(internal(2), 150, "1 2")),
        ];
        for (winner, loser) in steps {
            assert_eq!(better(&[winner.clone(), loser.clone()], None), winner.source);
            assert_eq!(better(&[loser, winner.clone()], None), winner.source);
        }
    }

    #[test]
    fn med_counts_within_one_neighbouring_as_only() {
        let with = |n, path_text: &str, med| {
            let mut p = path(external(n), 100, path_text);
            Arc::make_mut(&mut p.attributes).med = Some(med);
            p
        };
        assert_eq!(better(&[with(1, "7 9", 50), with(2, "7 8", 10)], None), external(2));
        assert_eq!(better(&[with(1, "7 9", 50), with(2, "6 8", 10)], None), external(1));
    }

    #[test]
    fn of_equal_external_paths_the_one_in_use_stays() {
        let both = [path(external(1), 100, "7 9"), path(external(2), 100, "6 9")];
        assert_eq!(better(&both, None), external(1));
        assert_eq!(better(&both, Some(external(2))), external(2));
    }
}
