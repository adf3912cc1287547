//! Desktop shell: one window over the engine. It translates and decides nothing.

#![cfg_attr(windows, windows_subsystem = "windows")]

mod engine;

use std::process::ExitCode;
use tauri::Manager;

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let shell = tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![engine::engine_status])
        .setup(|app| {
            app.manage(tauri::async_runtime::block_on(engine::Desk::open()));
            Ok(())
        })
        .run(tauri::generate_context!("tauri.conf.json"));
    match shell {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("PH-DESK-001 the window cannot be opened: {error}; `pilotctl serve` runs the engine without one");
            ExitCode::FAILURE
        }
    }
}
