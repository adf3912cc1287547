//! `pilotctl status --exports`: how the ways out to programs of others stand.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Outcome};
use api::ExportView;

/// Prints it.
pub fn print(context: &Context, client: &Client) -> Ended {
    let views: Vec<ExportView> = blocking(client.call("exports", &()))?;
    if context.json {
        print_json(&views);
        return Ok(Outcome::Done);
    }
    if views.is_empty() {
        println!("no export is switched on; see `pilotctl serve --help`");
    }
    for v in views {
        let state = if v.connected { "connected" } else { "not connected" };
        let error = v.last_error.map(|e| format!("; last error: {e:?}")).unwrap_or_default();
        println!("{} {}: {state}, {} sent, {} wait, {} dropped{error}", v.name, v.to, v.sent, v.queued, v.dropped);
    }
    Ok(Outcome::Done)
}
