//! Compiles `proto/` without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = "../../../proto";
    println!("cargo:rerun-if-changed={proto}");
    let files = protox::compile([format!("{proto}/gnmi.proto")], [proto])?;
    tonic_prost_build::configure().build_transport(true).compile_fds(files)?;
    Ok(())
}
