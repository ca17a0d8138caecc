//! The commands of the binary, their output and exit codes.

use std::{net::TcpListener, os::unix::fs::PermissionsExt};

use serde_json::json;
use sockeye::{Config, config::Scope};

use crate::{
    client::Client,
    harness::{Binary, Said, run, soon},
};

/// Arguments, variables, and the words that the error message must contain.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);

/// The settings required for tokens.
const JWT: [&str; 4] = ["--set", "auth.mode=jwt", "--set", "auth.secret=0123456789abcdef0123456789abcdef"];

/// Runs the binary in an empty folder.
async fn said(arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    run(arguments, variables, &folder.path().to_owned()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_ends_with_code_2_and_one_sentence_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let relay = "[relay.message-saved]\nto = \"everyone\"\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), relay).unwrap();
    let misspelt = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(misspelt.path(), "[limits]\nevent-per-second = 3\n").unwrap();
    let (file, misspelt) = (file.path().to_str().unwrap(), misspelt.path().to_str().unwrap());
    let cases: [Case; 24] = [
        (&["--listen", &taken], &[], &["server.listen", "in use"]),
        (&["--listen", "nonsense"], &[], &["server.listen", "nonsense"]),
        (&["--listen", "127.0.0.1:0", "--data", "/proc/nowhere"], &[], &["store.path", "/proc/nowhere"]),
        (
            &["--set", "limits.event-per-second=1"],
            &[],
            &["limits.event-per-second", "did you mean limits.events-per-second?"],
        ),
        (&["--config", misspelt], &[], &["limits.event-per-second", "did you mean limits.events-per-second?"]),
        (&["--set", "limits.events-per-second=many"], &[], &["limits.events-per-second", "many"]),
        (&[], &[("SOCKEYE_LIMITS__EVENTS_PER_SECOND", "-1")], &["limits.events-per-second", "-1"]),
        (&["--set", "auth.mode=jwt"], &[], &["auth.secret"]),
        (&["--set", "auth.mode=jwt", "--set", "auth.algorithm=RS256"], &[], &["auth.key-file"]),
        (&["--set", "auth.mode=jwt", "--set", "auth.keys.a.algorithm=HS256"], &[], &["auth.keys.a.secret"]),
        (&["--set", "auth.mode=jwt", "--set", "auth.keys.a.algorithm=EdDSA"], &[], &["auth.keys.a.key-file"]),
        (&[JWT[0], JWT[1], JWT[2], JWT[3], "--set", "auth.keys.a.key-file=/x"], &[], &["auth.keys.a.secret"]),
        (
            &[
                "--set",
                "auth.mode=jwt",
                "--set",
                "auth.key-file=/x",
                "--set",
                "auth.keys.a.secret=32-bytes-32-bytes-32-bytes-32-bytes",
            ],
            &[],
            &["auth.secret", "HS256"],
        ),
        (&[JWT[0], JWT[1], JWT[2], JWT[3], "--set", "auth.keys.a.kid=b"], &[], &["auth.keys.a.kid", "no setting"]),
        (&[JWT[0], JWT[1], JWT[2], JWT[3], "--set", "auth.user-claim="], &[], &["auth.user-claim", "data.id"]),
        (&["--listen", "0.0.0.0:0"], &[], &["auth.mode", "auth.allow-open-public"]),
        (&["--config", file], &[], &["relay.message-saved", "another name"]),
        (&["--set", "relay.cursor.to=room"], &[], &["relay.cursor", "field or argument"]),
        (&["--set", "cors.origins=example.com"], &[], &["cors.origins", "\"https://example.com\""]),
        (&["--set", "cors.origins=https://a.example/,*"], &[], &["cors.origins", "\"https://a.example\""]),
        (&["--set", "cors.origins=wss://a.example"], &[], &["cors.origins", "\"https://a.example\""]),
        (&["--set", "cors.origins=https://*a.example"], &[], &["cors.origins", "*.example.com"]),
        (&["--set", "server.hosts=http://chat.test:8000"], &[], &["server.hosts", "\"chat.test\""]),
        (&["--set", "server.drain=soon"], &[], &["server.drain", "soon"]),
    ];
    for (arguments, variables, must_say) in cases {
        let said = said(arguments, variables).await;
        assert_eq!(said.code, 2, "{arguments:?} {variables:?}: {}", said.errors);
        assert_eq!(said.output, "", "nothing was opened");
        assert_eq!(said.errors.trim_end().lines().count(), 1, "one sentence: {}", said.errors);
        for word in must_say {
            assert!(said.errors.contains(word), "{word} in {}", said.errors);
        }
    }
    assert_eq!(said(&["--lissen", "x"], &[]).await.code, 2, "an unknown flag");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_cannot_verify_tokens_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = format!("auth.key-file={}", file.path().to_str().unwrap());
    let private = "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n";
    for (contents, must_say) in [("", "no public key for RS256"), ("key", "no public key"), (private, "private key")] {
        std::fs::write(file.path(), contents).unwrap();
        let flags = ["check-config", "--set", "auth.mode=jwt", "--set", "auth.algorithm=RS256", "--set", &path];
        let said = said(&flags, &[]).await;
        assert_eq!(said.code, 2, "{contents}");
        assert!(said.errors.contains("auth.key-file") && said.errors.contains(must_say), "{}", said.errors);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_path_with_an_empty_name_is_refused() {
    for setting in ["user-claim", "name-claim", "rooms-claim"] {
        for (claim, code) in [("", 2), ("a..b", 2), (".sub", 2), ("sub.", 2), ("a.b.c", 0), ("https://a.example/b", 0)]
        {
            let (claim_is, secret) = (format!("auth.{setting}={claim:?}"), format!("auth.secret={}", "s".repeat(32)));
            let flags = ["check-config", "--set", "auth.mode=jwt", "--set", &secret, "--set", &claim_is];
            let said = said(&flags, &[]).await;
            assert_eq!(said.code, code, "{setting} {claim}: {}", said.errors);
            assert_eq!(
                said.errors.contains(&format!("auth.{setting} must name a claim")),
                code == 2,
                "{}",
                said.errors
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_no_client_can_request_is_refused() {
    let wrong = [
        ("/chat room", "percent-encode"),
        ("/café", "percent-encode"),
        ("/a\"b", "percent-encode"),
        ("/a\\b", "percent-encode"),
        ("/a/../b", "take . and .."),
        ("/%2e/b", "take . and .."),
        ("/a%zz", "hexadecimal"),
        ("/a%2", "hexadecimal"),
        ("/a?b", "before ? and #"),
        ("/a#b", "before ? and #"),
        ("/{a}", "no pattern"),
        ("chat", "begins with a slash"),
    ];
    for (path, word) in wrong {
        for setting in [format!("server.path={path}"), format!("ws.paths=[{path:?}]")] {
            let said = said(&["check-config", "--set", &setting], &[]).await;
            assert_eq!(said.code, 2, "{setting}: {}", said.output);
            assert!(said.errors.contains(word) && said.errors.contains(&setting[..7]), "{setting}: {}", said.errors);
        }
    }
    for path in ["/", "/api/", "/users", "/health/x"] {
        let said = said(&["check-config", "--set", &format!("server.path={path}")], &[]).await;
        assert_eq!(said.code, 2, "{path}");
    }
    for path in ["/socket.io/", "/caf%C3%A9", "/a/b~c_d-e.f/", "/users/live", "/@me"] {
        let said = said(&["check-config", "--set", &format!("server.path={path}")], &[]).await;
        assert_eq!(said.code, 0, "{path}: {}", said.errors);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_about_an_unwritable_folder_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(locked.join("probe"), "").is_ok() {
        // Root may write anywhere, so a file at the folder's path is what makes it fail for everybody.
        std::fs::remove_file(locked.join("probe")).unwrap();
        std::fs::remove_dir(&locked).unwrap();
        std::fs::write(&locked, "").unwrap();
    }
    let said = said(&["--listen", "127.0.0.1:0", "--data", locked.to_str().unwrap()], &[]).await;
    assert_eq!(said.code, 2);
    assert!(said.errors.contains("store.path") && said.errors.contains("locked"), "{}", said.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::serve(folder.path(), &[]).await;
    let said = said(&["--listen", "127.0.0.1:0", "--data", folder.path().to_str().unwrap()], &[]).await;
    assert_eq!(said.code, 2);
    assert!(said.errors.contains("store.path") && said.errors.contains("in use"), "{}", said.errors);
    server.kill_9().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join("sockeye.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let said = said(&["--listen", "127.0.0.1:0", "--data", folder.path().to_str().unwrap()], &[]).await;
    assert_eq!((said.code, said.output.as_str()), (2, ""));
    assert!(said.errors.contains("newer sockeye"), "{}", said.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_leaves_its_database_and_its_sockets_and_health_reports_it_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Binary::serve(folder.path(), &[]).await;
    let address = server.address.to_string();
    let well = said(&["health", "--listen", &address], &[]).await;
    assert_eq!((well.code, well.output.as_str()), (0, "ready\n"));
    let mut ada = Client::named(server.address, "Ada").await;
    ada.done("send-message", json!({ "text": "kept" })).await;
    drop(ada);
    let pid = server.child.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(soon(server.child.wait()).await.unwrap().success(), "exit code 0");
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["sockeye.db", "sockeye.lock", "sockeye.sockets"], "nothing is left in a log beside it");
    assert_eq!(said(&["health", "--listen", &address], &[]).await.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_configuration_is_valid_and_variables_and_flags_override_it() {
    let printed = said(&["default-config"], &[]).await;
    assert_eq!(printed.code, 0);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sockeye.toml"), &printed.output).unwrap();
    let folder = folder.path().to_owned();
    let checked = run(&["check-config"], &[("SOCKEYE_PORT", "tcp://10.0.0.1:8000")], &folder).await;
    assert_eq!((checked.code, checked.output.as_str()), (0, "the configuration is fine\n"));
    assert!(checked.errors.contains("SOCKEYE_PORT names no setting and is ignored"), "{}", checked.errors);
    let variable = [("SOCKEYE_LISTEN", "nonsense")];
    assert_eq!(run(&["check-config"], &variable, &folder).await.code, 2, "the variable goes over the file");
    let flag = ["check-config", "--listen", "127.0.0.1:0"];
    assert_eq!(run(&flag, &variable, &folder).await.code, 0, "the flag goes over the variable");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issued_token_is_accepted() {
    let secret = "auth.secret=0123456789abcdef0123456789abcdef";
    let settings = ["auth.mode=jwt", secret];
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::serve(folder.path(), &settings).await;
    let arguments =
        ["token", "--user", "u7", "--name", "Ada", "--rooms", "team-*", "--set", "auth.mode=jwt", "--set", secret];
    let token = said(&arguments, &[]).await.output.trim().to_owned();
    let mut ada = Client::with_auth(server.address, &json!({ "token": token })).await;
    ada.done("join-room", json!({ "room": "team-a" })).await;
    assert_eq!(ada.refused("join-room", json!({ "room": "other" })).await, "forbidden");
    let mut nobody = Client::open(server.address, "", &[]).await.unwrap();
    assert_eq!(nobody.connect("", &json!({ "name": "Ada" })).await, Err("unauthorized".to_owned()));
    server.kill_9().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_holds_every_acknowledged_message() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::serve(folder.path(), &["limits.events-per-second=0"]).await;
    let mut ada = Client::named(server.address, "Ada").await;
    for n in 1..=300 {
        ada.done("send-message", json!({ "n": n })).await;
    }
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    // A client writes while the database is copied.
    let address = server.address;
    let writing = tokio::spawn(async move {
        let mut bob = Client::named(address, "Bob").await;
        loop {
            bob.done("send-message", json!({ "room": "elsewhere" })).await;
        }
    });
    let file = copy.join("sockeye.db");
    let arguments = ["backup", file.to_str().unwrap(), "--data", folder.path().to_str().unwrap()];
    let saved = said(&arguments, &[]).await;
    assert_eq!(saved.code, 0, "{}", saved.errors);
    assert_eq!(said(&arguments, &[]).await.code, 1, "an existing file is not overwritten");
    writing.abort();
    server.kill_9().await;
    let server = Binary::serve(&copy, &[]).await;
    let mut ada = Client::named(server.address, "Ada").await;
    assert_eq!(ada.done("join-room", json!({ "room": "lobby" })).await["head"]["offset"], 300);
    server.kill_9().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_key_is_printed_once_with_its_configuration() {
    let arguments = ["api-key", "the billing", "--scopes", "events:write,users:read", "--expires-in", "90d"];
    let made = said(&arguments, &[]).await;
    assert_eq!(made.code, 0, "{}", made.errors);
    let key = made.output.trim_end();
    assert!(key.starts_with("sk_") && key.len() == 43, "the key alone is on standard output: {key}");
    assert!(!made.errors.contains(key), "{}", made.errors);
    let lines = &made.errors[made.errors.find("[key.").expect("a table")..];
    let config: Config = toml::from_str(lines).expect(lines);
    assert_eq!(config.key["the billing"].scopes, [Scope::EventsWrite, Scope::UsersRead]);
    assert!(config.key["the billing"].expires_at.is_some());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sockeye.toml");
    std::fs::write(&file, lines).unwrap();
    assert_eq!(run(&["check-config"], &[], &folder.path().to_owned()).await.code, 0);
    assert_ne!(said(&arguments, &[]).await.output, made.output, "each time another one");
    for wrong in [["--scopes", "everything"], ["--expires-in", "soon"]] {
        assert_eq!(said(&[&["api-key", "x"], &wrong[..]].concat(), &[]).await.code, 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_plain_websocket_path_that_is_already_used_is_refused() {
    let cases = [
        ("ws", "begins with a slash"),
        ("/{room}", "holds no pattern"),
        ("/:room", "holds no pattern"),
        ("/socket.io", "something else"),
        ("/health", "something else"),
        ("/api/ws", "something else"),
        ("/apps", "something else"),
        ("/ws,/ws", "twice"),
    ];
    for (paths, must_say) in cases {
        let said = said(&["--set", &format!("ws.paths={paths}")], &[]).await;
        assert_eq!(said.code, 2, "{paths}: {}", said.errors);
        assert!(said.errors.contains("ws.paths") && said.errors.contains(must_say), "{paths}: {}", said.errors);
    }
    let said = said(&["--set", "ws.text-event=disconnect"], &[]).await;
    assert!(said.errors.contains("ws.text-event"), "{}", said.errors);
}
