//! Notes which compiler the measuring programs are built with: it belongs to every result.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version =
        Command::new(rustc).arg("--version").output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
    println!("cargo::rustc-env=NR_BENCHES_RUSTC={}", version.as_deref().unwrap_or("unknown").trim());
}
