//! `pilotctl status --series`: the stored series of the live engine.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Failure, Outcome};
use api::{MeasurementArguments, MeasurementView, SeriesView, digits};

/// Prints how the series stand, and their names.
pub fn all(context: &Context, client: &Client) -> Ended {
    let view: SeriesView = blocking(client.call("series", &()))?;
    if context.json {
        print_json(&view);
        return Ok(Outcome::Done);
    }
    println!("{} points written, {} refused, {} not written", view.written, view.refused, view.unwritten);
    println!(
        "{} of {} bytes, {} free on the disk, {} of them for the ledger",
        view.used_bytes, view.max_bytes, view.free_bytes, view.reserve_bytes
    );
    if view.crowded > 0 {
        println!("{} points of more series than are held: see docs/measurements.md", view.crowded);
    }
    for (why, [points, minutes, quarters]) in [("age", view.aged), ("lack of room", view.thinned)] {
        println!("forgotten for {why}: {points} points, {minutes} minutes, {quarters} quarters of an hour");
    }
    if let Some(fault) = &view.fault {
        println!("FAULT {fault}");
    }
    for (measurement, tags) in &view.names {
        println!("{measurement} {tags}");
    }
    Ok(Outcome::Done)
}

/// Prints points or buckets of one measurement, or of the one series that a line of the list names; text is rounded, JSON is not.
pub fn one(context: &Context, client: &Client, named: &str, last: u32, seconds: Option<u64>) -> Ended {
    let (measurement, tags) = named.split_once(' ').map_or((named, None), |(m, tags)| (m, Some(tags.trim().to_owned())));
    let wanted = MeasurementArguments { measurement: measurement.to_owned(), tags, last: Some(last), seconds };
    let views: Vec<MeasurementView> = blocking(client.call("measurement", &wanted))?;
    if views.is_empty() {
        return Err(Failure::new("PH-CLI-040", format!("there is no series {named:?}; see `pilotctl status --series`")));
    }
    if context.json {
        print_json(&views);
        return Ok(Outcome::Done);
    }
    let n = digits(measurement);
    for view in &views {
        println!("{measurement} {}", view.tags);
        for row in &view.rows {
            if view.bucket_s == 0 {
                println!("  {} {:.n$}", row.time, row.mean);
            } else {
                println!("  {} min {:.n$} mean {:.n$} max {:.n$} of {}", row.time, row.min, row.mean, row.max, row.count);
            }
        }
    }
    Ok(Outcome::Done)
}
