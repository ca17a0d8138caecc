//! Builds again when the demo was built or the official client installed: their files become part of the binary.

use std::{fs, path::Path};

/// Where `npm ci` puts the client.
const CLIENT: &str = "client-demo/node_modules/socket.io-client";

fn main() {
    watch("client-demo/dist");
    watch(&format!("{CLIENT}/dist"));
    watch(&format!("{CLIENT}/package.json"));
    if let Some(version) = client_version() {
        println!("cargo:rustc-env=SOCKET_IO_CLIENT_VERSION={version}");
    }
}

/// Cargo takes what is missing for changed and would build every time: what is watched then is the folder where it
/// will appear.
fn watch(path: &str) {
    let there = Path::new(path).ancestors().find(|path| path.exists());
    if let Some(there) = there.filter(|path| !path.as_os_str().is_empty()) {
        println!("cargo:rerun-if-changed={}", there.display());
    }
}

/// The package's version; npm writes one field a line.
fn client_version() -> Option<String> {
    let package = fs::read_to_string(format!("{CLIENT}/package.json")).ok()?;
    let line = package.lines().find_map(|line| line.trim().strip_prefix("\"version\":"))?;
    Some(line.trim().trim_end_matches(',').trim_matches('"').to_owned())
}
