//! A program of one's own with the command line, the configuration and the signals of sockeye's binary.

use std::{fs, path::PathBuf};

use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    client::Client,
    harness::{Binary, Said, get, said, soon},
};

/// The example, which `cargo test` builds beside the tests.
fn program() -> Command {
    let tests = std::env::current_exe().unwrap();
    Binary::of(tests.ancestors().nth(2).unwrap().join("examples/game_binary"))
}

async fn run(arguments: &[&str], variables: &[(&str, &str)], file: &str) -> (Said, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sockeye.toml"), file).unwrap();
    (said(program(), arguments, variables, &PathBuf::from(folder.path())).await, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn its_default_file_has_its_own_defaults_and_sections() {
    let (said, _) = run(&["default-config"], &[], "").await;
    let file: toml::Table = toml::from_str(&said.output).unwrap();
    assert_eq!(file["limits"]["connections"].as_integer(), Some(77));
    assert_eq!(file["server"]["allow-eio3"].as_bool(), Some(false), "as Config::bare() has it");
    assert_eq!(file["game"]["max-players"].as_integer(), Some(4));
    assert_eq!(file["game"]["level"].as_str(), Some("easy"));
    assert_eq!(file["game"]["board"]["is-round"].as_bool(), Some(false));
    assert!(!file.contains_key("store") && said.output.contains("# seed is not set"), "{}", said.output);
    let (said, _) = run(&["check-config"], &[], &said.output).await;
    assert_eq!((said.code, said.output.as_str(), said.errors.as_str()), (0, "the configuration is fine\n", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_its_sections_are_reported_as_those_of_sockeyes_own() {
    let file = "[game]\nmax-players = 300\nlevel = \"hard\"\ngreting = \"hi\"\n\n[game.board]\ncolumns = \"8\"\n\n\
                [limits]\nconnections = -1\n\n[store]\npath = \"x\"\n";
    let arguments = ["check-config", "--set", "game.seed=x", "--set", "gme.level=easy"];
    let (said, _) = run(&arguments, &[("SOCKEYE_GAME_BOARD_ROUND", "x")], file).await;
    assert_eq!(said.code, 2);
    for line in [
        "game_binary: gme.level is no setting; did you mean game.level? (command line)",
        "game_binary: game.max-players is 300: invalid value: integer `300`, expected u8 (sockeye.toml, line 2)",
        "game_binary: game.level is \"hard\": unknown variant `hard`, expected `easy` or `very-hard` (sockeye.toml, line 3)",
        "game_binary: game.greting is no setting; did you mean game.greeting? (sockeye.toml, line 4)",
        "game_binary: game.board.columns \"8\" must be a whole number, without quotes (sockeye.toml, line 7)",
        "game_binary: game.seed is \"x\": invalid type: string \"x\", expected u64 (command line)",
        "game_binary: limits.connections -1 must be from 0 to 9223372036854775807 (sockeye.toml, line 10)",
        "warning: [store] has no effect: this server has no chat",
        "warning: SOCKEYE_GAME_BOARD_ROUND names no setting and is ignored; did you mean SOCKEYE_GAME__BOARD__IS_ROUND?",
    ] {
        assert!(said.errors.lines().any(|said| said == line), "{line}\n\n{}", said.errors);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_chat_has_no_commands_of_the_chat() {
    let (said, _) = run(&["--help"], &[], "").await;
    assert!(said.output.contains("check-config") && said.output.contains("health"), "{}", said.output);
    assert!(!said.output.contains("backup") && !said.output.contains("--data"), "{}", said.output);
    for command in ["backup", "api-key"] {
        let (said, _) = run(&[command, "x"], &[], "").await;
        assert_eq!(said.code, 2, "{}", said.errors);
        assert!(said.errors.contains("unrecognized subcommand"), "{}", said.errors);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_with_settings_of_every_source_reloads_them_and_drains() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sockeye.toml");
    fs::write(&file, "[game]\nmax-players = 5\ngreeting = \"file\"\nseed = 7\n").unwrap();
    let mut command = program();
    command
        .current_dir(folder.path())
        .env("SOCKEYE_GAME_GREETING", "variable")
        .env("SOCKEYE_GAME__BOARD__COLUMNS", "9");
    command.args(["--listen", "127.0.0.1:0", "--set", "server.drain=0s"]);
    command.args(["--set", "game.board.is-round=true", "--set", "game.level=very-hard"]);
    let binary = Binary::start(command).await;
    let mut client = Client::open(binary.address, "", &[]).await.unwrap();
    client.connect("", &json!({})).await.unwrap();
    let expected = |max_players: u8| {
        json!({
            "max_players": max_players, "greeting": "variable", "level": "very-hard", "seed": 7,
            "board": { "columns": 9, "is_round": true },
        })
    };
    assert_eq!(client.ask("settings", json!(null)).await, expected(5));
    assert_eq!(get(binary.address, "/asked", &[]).await.body, "1");
    assert_eq!(get(binary.address, "/ready", &[]).await.status, 200);

    fs::write(&file, "[game]\nmax-players = 6\ngreeting = \"file\"\nseed = 7\n").unwrap();
    let process = rustix::process::Pid::from_raw(binary.child.id().unwrap() as i32).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::HUP).unwrap();
    let read_again = async { while client.ask("settings", json!(null)).await != expected(6) {} };
    soon(read_again).await;
    // The line is written after the settings have changed.
    let logged = async {
        while !binary.log().contains("changed=\"game.max-players\"") {
            client.ask("settings", json!(null)).await;
        }
    };
    soon(logged).await;
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    assert!(!folder.path().join("data").exists(), "it has no database");
    let (code, log) = binary.ended().await;
    assert_eq!(code, 0, "{log}");
}
