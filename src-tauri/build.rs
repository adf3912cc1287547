//! Tells Tauri which commands exist, so that each needs a permission in tauri.conf.json.

fn main() {
    let commands = tauri_build::AppManifest::new().commands(&["rpc", "start_demo", "captures", "open_capture", "leave_capture", "painted"]);
    if let Err(error) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(commands)) {
        println!("cargo::error={error:#}");
    }
}
