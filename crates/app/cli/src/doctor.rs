//! `pilotctl doctor`: what is missing here and how to get it.

use crate::exit::{Context, Ended, Outcome};

/// Runs `doctor`.
pub fn run(context: &Context) -> Ended {
    let missing = lab::netns::requirements();
    let folder = context.data_folder();
    let holder = store::lock_holder(&folder);
    if context.json {
        let rows: Vec<_> = missing.iter().map(|m| serde_json::json!({"what": m.what, "next_step": m.next_step})).collect();
        crate::engine::print_json(&serde_json::json!({"data_folder": folder, "engine": holder, "missing_for_netns_lab": rows}));
    } else {
        println!("data folder {}", folder.display());
        println!("engine      {}", holder.unwrap_or_else(|| "not running".to_owned()));
        if missing.is_empty() {
            println!("netns lab   can run here");
        }
        for m in &missing {
            println!("netns lab   {} is missing: {}", m.what, m.next_step);
        }
    }
    Ok(if missing.is_empty() { Outcome::Done } else { Outcome::No })
}
