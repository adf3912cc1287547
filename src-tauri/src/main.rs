//! Desktop shell: one window over the engine. It translates and decides nothing.

#![cfg_attr(windows, windows_subsystem = "windows")]

mod engine;

use engine::Desk;
use std::io::IsTerminal;
use std::process::ExitCode;
use tauri::{Manager, RunEvent};

/// As in `pilotctl`.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: pilothouse [--demo | CAPTURE]\n  --demo   watch the demo lab, which lives inside this program; else the engine of the data folder\n  CAPTURE  replay this file";

/// Without hardware GL the web view's usual renderer draws three times slower than the plain one. The choice must stand in the
/// environment before GTK starts, and never over the user's own.
#[cfg(target_os = "linux")]
fn choose_renderer() {
    use std::os::unix::process::CommandExt;
    const RENDERER: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    if std::env::var_os(RENDERER).is_some() || std::path::Path::new("/dev/dri").exists() {
        return;
    }
    if let Ok(own) = std::env::current_exe() {
        // only a failure returns; the window then opens with the slower renderer
        let error = std::process::Command::new(own).args(std::env::args_os().skip(1)).env(RENDERER, "1").exec();
        tracing::warn!(%error, "the renderer could not be chosen");
    }
}

/// Milliseconds since this process was made; `None` where the system does not tell.
fn age_ms() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let uptime: f64 = std::fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
    // the name, in brackets, may hold spaces; the start is the 20th field after it, in ticks of 10 ms (proc(5))
    let started: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    Some(((uptime * 1000.0) as u64).saturating_sub(started * 10))
}

/// The window shows the engine's picture for the first time: said once to the log, where `pilotctl bench ui` reads it.
#[tauri::command]
fn painted() {
    if let Some(ms) = age_ms() {
        tracing::info!(ms, "first useful paint");
    }
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    choose_renderer();
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (demo, capture) = match &arguments[..] {
        [] => (false, None),
        [one] if one == "--demo" => (true, None),
        [file] if !file.starts_with('-') => (false, Some(std::path::PathBuf::from(file))),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let built = tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![
            engine::rpc,
            engine::start_demo,
            engine::captures,
            engine::open_capture,
            engine::leave_capture,
            painted
        ])
        .setup(move |app| {
            // the window is shown at once; a lab takes seconds to boot
            app.manage(Desk::opening());
            let app = app.handle().clone();
            tauri::async_runtime::spawn(async move {
                let desk = app.state::<Desk>();
                // what went wrong is what the window shows
                let _ = match capture {
                    Some(file) => desk.start_with(&file).await,
                    None => desk.open(demo).await,
                };
            });
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
