//! The network of the engine as a case: what the live twin is drawn from, for every verb of `pilotctl twin`.

use crate::ApiError;
use case::saved::Saved;
use config::Vendor;
use core::fmt::Write as _;
use decision::View;
use network::Network;
use perception::Perception;
use routing::Router;
use twin::Picture;
use units::Timestamp;

/// Routes of neighbours outside at most; a case is for thinking, not for a whole internet table.
const ROUTES_MAX: usize = 500_000;

/// What it is drawn from.
pub(crate) struct Drawn {
    pub network: Network,
    pub perception: Perception,
    pub now: Timestamp,
}

impl Drawn {
    /// Makes the case.
    ///
    /// # Errors
    /// [`ApiError`] when the twin cannot be drawn, or is too large.
    pub(crate) fn saved(&self) -> Result<Saved, ApiError> {
        let view = View { network: &self.network, perception: &self.perception, now: self.now };
        let picture = Picture::of(&self.network).map_err(|e| ApiError::new("PH-API-409", format!("the twin cannot be drawn: {e}")))?;
        let picture = picture.measured(decision::path_metrics(&view));
        let blueprint = picture.blueprint();
        let routes: usize = blueprint.feeds.iter().map(|f| f.routes.len()).sum();
        if routes > ROUTES_MAX {
            let why = format!("neighbours outside announce {routes} routes; a case holds {ROUTES_MAX} at most");
            return Err(ApiError::new("PH-API-409", why));
        }
        let texts = blueprint.routers.iter().map(|r| self.text(r)).collect();
        Ok(Saved::of(blueprint, texts, picture.facts().clone()))
    }

    /// The running configuration. What is in force and does not stand in it, interfaces that are down and a router id that the system chose,
    /// is added in FRR's words.
    fn text(&self, router: &Router) -> String {
        let device = self.network.devices.iter().find(|(id, _)| id.as_str() == router.name);
        let Some(read) = device.and_then(|(_, d)| d.config.as_ref()) else { return String::new() };
        let mut text = read.text.clone();
        if router.config.vendor != Vendor::Frr {
            return text;
        }
        // writing to a string does not fail
        for (name, _) in router.config.interfaces.iter().filter(|(n, i)| i.shutdown && !read.model.interfaces[*n].shutdown) {
            let _ = write!(text, "\ninterface {name}\n shutdown\nexit\n");
        }
        let named = read.model.bgp.as_ref().is_none_or(|b| b.router_id.is_some());
        if let Some((bgp, id)) = router.config.bgp.as_ref().filter(|_| !named).and_then(|b| Some((b, b.router_id?))) {
            let _ = write!(text, "\nrouter bgp {}\n bgp router-id {id}\nexit\n", bgp.asn.0);
        }
        text
    }
}
