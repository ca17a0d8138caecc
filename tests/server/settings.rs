//! Settings in the forms that people write, and the messages about mistakes.

use std::path::PathBuf;

use crate::harness::{Binary, Said, get, run};

/// Runs `check-config` on a file in an empty folder.
async fn checked(file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sockeye.toml"), file).unwrap();
    let folder: PathBuf = folder.path().to_owned();
    run(&[&["check-config"], arguments].concat(), variables, &folder).await
}

/// The messages, without the name of the program.
fn sentences(said: &Said) -> Vec<&str> {
    said.errors.lines().filter_map(|line| line.strip_prefix("sockeye: ")).collect()
}

#[tokio::test]
async fn every_mistake_is_reported_in_one_run_with_its_place() {
    let file = r#"
        [server]
        listen = 5
        demo = "yes"
        [limits]
        foo = 1
        payload-bytes = "1 potato"
        events-per-second = -1
        connections = "100"
        [auth]
        mode = "jwtt"
        secret = 123456789
        [cors]
        origins = ["https://app.example.com", "example.com", "https://example.com/path"]
        [relay.cursor]
        too = "room"
        [relay.draw]
        to = "everybody"
        field = 5
        [relay.move]
        to = "room"
        [key.billing]
        hash = "beef"
        scopes = ["everything"]
        [zoo]
        lion = 1
        [log]
        level = "verbose"
    "#;
    let variables = [("SOCKEYE_WS__PING_INTERVAL", "never"), ("SOCKEYE_LIMITS__PAYLOAD_BITS", "1")];
    let said = checked(file, &["--set", "server.drain=soon", "--set", "ws.idle=1s"], &variables).await;
    assert_eq!((said.code, said.output.as_str()), (2, ""));
    let wanted: [(&str, &[&str]); 21] = [
        ("ws.idle ", &["no setting", "ws.idle-timeout", "command line"]),
        ("auth.mode ", &["\"jwtt\"", "\"open\", \"jwt\"", "line 11"]),
        ("auth.secret ", &["must be a text", "line 12"]),
        ("cors.origins ", &["\"example.com\"", "line 14"]),
        ("cors.origins ", &["https://example.com/path", "line 14"]),
        ("key.billing.scopes ", &["everything", "\"events:write\"", "line 24"]),
        ("limits.connections ", &["without quotes", "line 9"]),
        ("limits.events-per-second ", &["-1", "from 0", "line 8"]),
        ("limits.foo ", &["no setting", "payload-bytes", "line 6"]),
        ("limits.payload-bytes ", &["\"1 potato\"", "\"1MB\"", "line 7"]),
        ("relay.cursor.too ", &["did you mean relay.cursor.to?", "line 16"]),
        ("relay.draw.field ", &["must be a text", "line 19"]),
        ("relay.draw.to ", &["\"everybody\"", "\"everyone\", \"others\"", "line 18"]),
        ("server.demo ", &["\"yes\"", "true or false", "line 4"]),
        ("server.drain ", &["\"soon\"", "\"1m 30s\"", "command line"]),
        ("server.listen ", &["5 must be a text", "line 3"]),
        ("ws.ping-interval ", &["\"never\"", "SOCKEYE_WS__PING_INTERVAL"]),
        ("zoo.lion ", &["no setting", "the sections are", "line 26"]),
        ("relay.move ", &["field or argument"]),
        ("key.billing.hash ", &["SHA-256"]),
        ("log.level ", &["\"verbose\"", "error, warn, info, debug, trace, off", "sockeye::store=debug"]),
    ];
    let found = sentences(&said);
    for (begins, words) in wanted {
        let matches = found
            .iter()
            .filter(|sentence| sentence.starts_with(begins) && words.iter().all(|word| sentence.contains(word)));
        assert_eq!(matches.count(), 1, "{begins}{words:?} in\n{}", said.errors);
    }
    assert_eq!(found.len(), wanted.len(), "and nothing follows from them:\n{}", said.errors);
    assert!(!said.errors.contains("123456789"), "a secret is not repeated:\n{}", said.errors);
    assert!(said.errors.contains("did you mean SOCKEYE_LIMITS__PAYLOAD_BYTES?"), "{}", said.errors);
}

#[tokio::test]
async fn every_syntax_error_is_reported_with_its_line_but_without_its_text() {
    let file = "[auth]\nsecret = \"hunter2\" x\n[log]\nlevel = \"info\"\nlevel = \"warn\"\n[limits\n";
    let said = checked(file, &["--set", "server.drain=soon"], &[]).await;
    let found = sentences(&said);
    assert_eq!((said.code, found.len()), (2, 4), "{}", said.errors);
    for line in [2, 5, 6] {
        let place = format!("sockeye.toml, line {line}: ");
        assert!(found.iter().any(|sentence| sentence.starts_with(&place)), "{place} in\n{}", said.errors);
    }
    assert!(found.iter().any(|sentence| sentence.starts_with("server.drain ")), "{}", said.errors);
    assert!(!said.errors.contains("hunter2"), "{}", said.errors);
    let too_large = checked("[limits]\n\nconnections = 99999999999999999999\n", &[], &[]).await;
    assert_eq!(too_large.code, 2);
    assert!(too_large.errors.contains("line 3"), "{}", too_large.errors);
}

#[tokio::test]
async fn several_contradictions_are_reported_together() {
    let key = "ab".repeat(32);
    let file = format!(
        "[key.one]\nhash = \"{key}\"\nscopes = []\n[key.two]\nhash = \"{key}\"\nscopes = []\n\
         [auth]\nmode = \"jwt\"\nalgorithm = \"RS256\"\nkey-file = \"nowhere.pem\"\n\
         [server]\npath = \"/api\"\n[ws]\npaths = [\"/ws\", \"/ws\", \"/health\"]\n[pusher]\napp-id = \"1\"\n"
    );
    let said = checked(&file, &["--set", "metrics.listen=127.0.0.1:8000"], &[]).await;
    let mut keys: Vec<_> = sentences(&said).iter().map(|sentence| sentence.split([' ', ':']).next().unwrap()).collect();
    keys.sort_unstable();
    let wanted =
        ["auth.key-file", "key.two.hash", "metrics.listen", "pusher.app-id", "server.path", "ws.paths", "ws.paths"];
    assert_eq!(keys, wanted, "{}", said.errors);
}

#[tokio::test]
async fn metrics_on_the_servers_port_are_refused() {
    let public = "auth.allow-open-public=true";
    let cases = [
        ("127.0.0.1:8000", "127.0.0.1:8000", false),
        ("127.0.0.1:8000", "0.0.0.0:8000", false),
        ("0.0.0.0:8000", "127.0.0.1:8000", false),
        ("127.0.0.1:8000", "[::]:8000", false),
        ("localhost:8000", "127.0.0.1:8000", false),
        ("127.0.0.1:8000", "127.0.0.1:8001", true),
        ("127.0.0.1:8000", "127.0.0.2:8000", true),
        ("127.0.0.1:0", "127.0.0.1:0", true),
        ("0.0.0.0:8000", "[::1]:8000", true),
    ];
    for (server, metrics, is_fine) in cases {
        let metrics = format!("metrics.listen={metrics}");
        let said = checked("", &["--listen", server, "--set", &metrics, "--set", public], &[]).await;
        assert_eq!(said.code == 0, is_fine, "{server} {metrics}: {}", said.errors);
        assert_eq!(said.errors.contains("metrics.listen"), !is_fine, "{server} {metrics}: {}", said.errors);
    }
}

#[tokio::test]
async fn sizes_durations_networks_and_dates_are_accepted_in_common_forms() {
    let file = |setting: &str| {
        let (section, line) = setting.split_once('.').unwrap();
        format!("[{section}]\n{line}\n")
    };
    let fine = [
        "limits.payload-bytes = 1000000",
        "limits.payload-bytes = \"1MB\"",
        "limits.queued-bytes = \"4 MiB\"",
        "recovery.total-bytes = \"0.5 GB\"",
        "recovery.bytes = \"512k\"",
        "server.ping-interval = 25",
        "server.ping-timeout = 2.5",
        "server.drain = \"0\"",
        "server.drain = \"1m 30s\"",
        "presence.grace = 0",
        "server.trusted-proxies = [\"127.0.0.1\", \"::1\", \"10.0.0.0/8\"]",
    ];
    for setting in fine {
        let said = checked(&file(setting), &[], &[]).await;
        assert_eq!((said.code, said.errors.as_str()), (0, ""), "{setting}");
        let flag = setting.replace(" = ", "=").replace(['"', '[', ']'], "");
        let said = checked("", &["--set", &flag], &[]).await;
        assert_eq!((said.code, said.errors.as_str()), (0, ""), "{flag}");
    }
    let wrong = [
        ("limits.payload-bytes = -1", "\"1MB\""),
        ("limits.payload-bytes = 1.5", "\"1MB\""),
        ("limits.payload-bytes = \"MB\"", "\"1MB\""),
        ("limits.payload-bytes = true", "\"1MB\""),
        ("limits.payload-bytes = [1]", "\"1MB\""),
        ("server.drain = -5", "\"30s\""),
        ("server.drain = \"25 sek\"", "\"30s\""),
        ("server.drain = \"nan\"", "\"30s\""),
        ("server.drain = \"\"", "\"30s\""),
        ("server.ping-interval = 1e18", "at most 100 years"),
        ("server.ping-interval = 9000000000000000000", "at most 100 years"),
        ("presence.grace = \"1000y\"", "at most 100 years"),
        ("server.drain = {}", "\"30s\""),
        ("server.trusted-proxies = [\"10.0.0.0/33\"]", "\"10.0.0.0/8\""),
        ("server.trusted-proxies = \"127.0.0.1\"", "a list of texts"),
        ("server.trusted-proxies = [\"localhost\"]", "\"127.0.0.1\""),
    ];
    for (setting, form) in wrong {
        let said = checked(&file(setting), &[], &[]).await;
        let found = sentences(&said);
        assert_eq!((said.code, found.len()), (2, 1), "{setting}: {}", said.errors);
        assert!(found[0].contains(form) && found[0].contains("line 2"), "{setting}: {}", said.errors);
    }
    let hash = "cd".repeat(32);
    let key = format!("[key.billing]\nhash = \"{hash}\"\nscopes = [\"*\"]\nexpires-at = 2027-01-31T00:00:00Z\n");
    assert_eq!(checked(&key, &[], &[]).await.code, 0);
    let said = checked("", &["--set", "server.ping-interval=25000"], &[]).await;
    assert!(said.code == 0 && said.errors.contains("seconds, not milliseconds"), "{}", said.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_contains_the_configured_size_and_durations() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["limits.payload-bytes=1 MiB", "server.ping-interval=7", "server.ping-timeout=1.5"];
    let server = Binary::serve(folder.path(), &settings).await;
    let open = get(server.address, "/socket.io/?EIO=4&transport=polling", &[]).await.body;
    for field in ["\"maxPayload\":1048576", "\"pingInterval\":7000", "\"pingTimeout\":1500"] {
        assert!(open.contains(field), "{field} in {open}");
    }
    server.kill_9().await;
}
