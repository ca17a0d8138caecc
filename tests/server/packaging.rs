//! Properties of the Makefile and the Dockerfile that can be tested without running them.

use std::process::Command;

#[test]
fn make_rebuilds_nothing_without_changes() {
    // `make test` builds the demo before this test.
    let status = Command::new("make")
        .args(["--question", "demo"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .status();
    assert!(status.unwrap().success(), "client-demo/dist is older than what it is made of");
}

#[test]
fn the_image_runs_as_a_numeric_user_id() {
    let recipe = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile")).unwrap();
    let user = recipe.lines().filter_map(|line| line.strip_prefix("USER ")).next_back().unwrap();
    // Kubernetes' runAsNonRoot cannot verify a user name.
    let numbers: Vec<u32> = user.split(':').map(|number| number.parse().unwrap()).collect();
    assert!(numbers.len() == 2 && !numbers.contains(&0), "{user}");
}
