//! Desktop shell: one window over the engine. It translates and decides nothing.

#![cfg_attr(windows, windows_subsystem = "windows")]

mod engine;

use engine::Desk;
use std::process::ExitCode;
use tauri::{Manager, RunEvent};

const USAGE: &str =
    "usage: pilothouse [--demo]\n  --demo  watch the demo lab, which lives inside this program; else the engine of the data folder";

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let demo = match &arguments[..] {
        [] => false,
        [one] if one == "--demo" => true,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let built = tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![engine::rpc, engine::start_demo])
        .setup(move |app| {
            app.manage(tauri::async_runtime::block_on(Desk::open(demo)));
            Ok(())
        })
        .build(tauri::generate_context!("tauri.conf.json"));
    match built {
        Ok(app) => {
            app.run(|app, event| {
                if let RunEvent::Exit = event
                    && let Some(desk) = app.try_state::<Desk>()
                {
                    tauri::async_runtime::block_on(desk.close());
                }
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("PH-DESK-001 the window cannot be opened: {error}; `pilotctl serve` runs the engine without one");
            ExitCode::FAILURE
        }
    }
}
