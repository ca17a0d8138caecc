//! Builds again when the demo was built: its files become part of the binary.

fn main() {
    println!("cargo:rerun-if-changed=client-demo/dist");
}
