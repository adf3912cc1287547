//! `pilotctl report`: a plot of what the probes measured and what was changed, from a capture.

use crate::exit::{Context, Ended, Failure, Outcome};
use pilot::{Effect, Happening, Input, Pilot};
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl report night.capture -o night.svg")]
pub struct Arguments {
    /// The capture.
    file: PathBuf,
    /// Where the SVG goes.
    #[arg(short, long, value_name = "FILE.svg")]
    output: PathBuf,
}

/// Delay per path that follows the routing: seconds since the start, milliseconds.
type Series = BTreeMap<String, Vec<(f64, f64)>>;

/// Runs `report`.
pub fn run(_: &Context, arguments: &Arguments) -> Ended {
    let (series, marks) = read(arguments)?;
    if series.is_empty() {
        return Err(Failure::new(
            "PH-REP-001",
            format!("{} holds no measurement of a path that follows the routing", arguments.file.display()),
        ));
    }
    draw(arguments, &series, &marks)
        .map_err(|e| Failure::new("PH-REP-002", format!("cannot write {}: {e}", arguments.output.display())))?;
    println!("{}", arguments.output.display());
    Ok(Outcome::Done)
}

fn read(arguments: &Arguments) -> Result<(Series, Vec<(f64, String)>), Failure> {
    let unusable = |e: capture::CaptureError| Failure::from_error("", &e);
    let (mut series, mut marks) = (Series::new(), Vec::new());
    let mut pilot = Pilot::default();
    let mut start = None;
    for entry in capture::Reader::<Input>::open(&arguments.file).map_err(unusable)? {
        let entry = entry.map_err(unusable)?;
        let start = *start.get_or_insert(entry.at);
        let seconds = entry.at.since(start).as_secs_f64();
        let tick = matches!(entry.body, Input::Tick);
        for effect in pilot.handle(entry.seq, entry.at, entry.body) {
            if let Effect::Publish(event) = effect {
                match event.what {
                    Happening::FindingOpened { finding, .. } => marks.push((seconds, finding.to_string())),
                    Happening::Proposed { proposal, .. } => marks.push((seconds, proposal.to_string())),
                    Happening::ChangeFinished { change, outcome, .. } => marks.push((seconds, format!("{change} {outcome}"))),
                    _ => {}
                }
            }
        }
        if tick {
            let state = pilot.state();
            for key in state.network.probes.keys().filter(|k| k.exit.is_none()) {
                let Some(last) = state.network.probes.get(key).and_then(|p| p.samples.back()) else { continue };
                if let Some(delay) = last.delay_ms {
                    series.entry(key.name()).or_default().push((last.at.since(start).as_secs_f64(), delay));
                }
            }
        }
    }
    for points in series.values_mut() {
        points.dedup_by(|a, b| (a.0 - b.0).abs() < 1e-9);
    }
    Ok((series, marks))
}

fn draw(arguments: &Arguments, series: &Series, marks: &[(f64, String)]) -> Result<(), Box<dyn std::error::Error>> {
    let all = || series.values().flatten();
    let end = all().map(|p| p.0).fold(1.0, f64::max);
    let top = all().map(|p| p.1).fold(1.0, f64::max) * 1.15;
    let area = SVGBackend::new(&arguments.output, (1100, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Forward delay of paths that follow the routing", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..end, 0.0..top)?;
    chart.configure_mesh().x_desc("seconds").y_desc("ms").draw()?;
    for (index, (name, points)) in series.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), &colour))?
            .label(name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour));
    }
    for (at, text) in marks {
        chart.draw_series(std::iter::once(PathElement::new(vec![(*at, 0.0), (*at, top)], BLACK.mix(0.4))))?;
        chart.draw_series(std::iter::once(Text::new(text.clone(), (*at, top * 0.98), ("sans-serif", 12))))?;
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
    area.present()?;
    Ok(())
}
