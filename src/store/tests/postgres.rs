//! What is PostgreSQL's own: several servers on one schema, values that it refuses, TLS and passwords, and the plans of
//! the queries. Lost connections and crashes are in `failures.rs`.

use std::{fs, os::unix::fs::PermissionsExt};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::{
    engines::{Engine, TestStore, id, named, new_schema, post, post_once, shared_url},
    postgres_server::PostgresServer,
};
use crate::{
    config::{SearchConfig, Secret, StoreConfig},
    error::Code,
    metrics::Metrics,
    model::{Body, MessageId},
    store::{DeleteMessage, SaveMessage, Store, postgres::statement_texts},
    supervise::Background,
};

fn config() -> StoreConfig {
    StoreConfig { url: shared_url(), schema: new_schema(), ..StoreConfig::default() }
}

/// Why a store cannot be opened.
fn refusal(config: &StoreConfig) -> String {
    let Err(error) = Store::open(config, &SearchConfig::default(), &Metrics::off(), &mut Background::default()) else {
        panic!("it opens")
    };
    let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_is_refused_unless_both_share() {
    let alone = config();
    let first = TestStore::open(alone.clone());
    assert!(refusal(&alone).contains("is in use by another server"), "{}", refusal(&alone));
    let shared = StoreConfig { shared: true, ..alone.clone() };
    assert!(refusal(&shared).contains("is in use by another server"));
    first.store.close().await;
    let (one, other) = (TestStore::open(shared.clone()), TestStore::open(shared));
    assert!(refusal(&alone).contains("store.shared = true"));
    assert_eq!(one.post("tea", "ada", "1").await.offset, 1);
    assert_eq!(other.post("tea", "ada", "2").await.offset, 2);
    assert_eq!(one.post("tea", "ada", "3").await.offset, 3);
    one.store.close().await;
    other.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_were_made_anew_are_another_database() {
    let store = TestStore::open(config());
    let first = store.store.found();
    let again = store.reopen().await;
    assert!(first.is_some());
    assert_eq!(again.store.found(), first);
    again.store.close().await;
    // As `pg_restore --clean` does.
    let client = connect(&again.config.url).await;
    client.batch_execute(&format!("DROP SCHEMA {} CASCADE", again.config.schema)).await.unwrap();
    let restored = again.reopen().await;
    assert_ne!(restored.store.found(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_together_make_the_tables_once() {
    let shared = StoreConfig { shared: true, ..config() };
    let open = || {
        let config = shared.clone();
        tokio::task::spawn(async move { TestStore::open(config) })
    };
    let stores = [open(), open(), open()];
    for (number, store) in stores.into_iter().enumerate() {
        let store = store.await.unwrap();
        assert_eq!(store.post("tea", "ada", "x").await.offset, number as u64 + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_share_write_without_holes() {
    let shared = StoreConfig { shared: true, ..config() };
    let (one, other) = (TestStore::open(shared.clone()), TestStore::open(shared));
    let rooms = ["a", "b", "c"];
    let mut posts = Vec::new();
    for number in 0..3_000 {
        let text = number.to_string();
        let command = post_once(rooms[number % 3], "ada", &text, &format!("key {number}"));
        // Every tenth is sent to both: only one of them saves it.
        if number % 10 == 0 {
            posts.push(one.queue(post_once(rooms[number % 3], "ada", &text, &format!("key {number}"))));
        }
        posts.push(if number % 2 == 0 { other.queue(command) } else { one.queue(command) });
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut saved = 0;
    for post in posts {
        saved += usize::from(post.await.unwrap().unwrap().is_new);
    }
    assert_eq!(saved, 3_000);
    for room in rooms {
        let all = one.all(room).await;
        let numbers: Vec<u64> = (1..=1_000).collect();
        assert_eq!(all.iter().map(|message| message.offset).collect::<Vec<_>>(), numbers);
        assert_eq!(all.iter().map(|message| message.revision).collect::<Vec<_>>(), numbers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_two_servers_use_for_different_rooms_is_a_conflict_on_one_of_them() {
    let shared = StoreConfig { shared: true, ..config() };
    let (one, other) = (TestStore::open(shared.clone()), TestStore::open(shared));
    for round in 0..20 {
        let key = round.to_string();
        let (first, second) =
            (one.queue(post_once("a", "ada", "1", &key)), other.queue(post_once("b", "ada", "1", &key)));
        let results = [first.await.unwrap(), second.await.unwrap()];
        let saved = results.iter().flatten().filter(|saved| saved.is_new).count();
        let refused = results.iter().filter_map(|result| result.as_ref().err().map(|error| error.code()));
        assert_eq!((saved, refused.collect::<Vec<_>>()), (1, vec![Code::Conflict]));
    }
    assert_eq!(one.all("a").await.len() + one.all("b").await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_database_refuses_fails_alone() {
    let store = TestStore::new(Engine::Postgres);
    store.post("tea", "ada", "1").await;
    let good = store.queue(post("tea", "ada", "2"));
    // A body is valid JSON, which has no such character. PostgreSQL refuses it.
    let bad = store.queue(SaveMessage { body: Body::from_json("\0"), ..post("tea", "ada", "") });
    let other = store.queue(post("other", "ada", "1"));
    assert_eq!(good.await.unwrap().unwrap().message.offset, 2);
    assert_eq!(bad.await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert_eq!(other.await.unwrap().unwrap().message.offset, 1);
    assert_eq!(store.post("tea", "ada", "3").await.offset, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_not_ours_is_refused() {
    let config = config();
    let client = connect(&config.url).await;
    let sql = format!("CREATE SCHEMA {0}; CREATE TABLE {0}.store (name text, value text)", config.schema);
    client.batch_execute(&sql).await.unwrap();
    assert!(refusal(&config).contains("a table `store` that is not sockeye's"));
    let newer = format!("INSERT INTO {}.store VALUES ('schema', '99')", config.schema);
    client.batch_execute(&newer).await.unwrap();
    assert!(refusal(&config).contains("written by a newer sockeye"));
}

pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_and_never_shown() {
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(password.path(), "hunter2\n").unwrap();
    fs::set_permissions(password.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let file = format!("--pwfile={}", password.path().display());
    // Its tools do not know the password: `createdb` must not need one.
    let server =
        PostgresServer::start_with(&["--auth-local=trust", "--auth-host=scram-sha-256", &file], |_| Vec::new());
    let config = StoreConfig { url: server.url(), password: Secret::new("hunter2"), ..StoreConfig::default() };
    let store = TestStore::open(config.clone());
    assert_eq!(store.post("tea", "ada", "1").await.offset, 1);
    store.store.close().await;
    let from_file =
        StoreConfig { password: Secret::default(), password_file: password.path().to_owned(), ..config.clone() };
    TestStore::open(from_file).store.close().await;
    let wrong = StoreConfig { password: Secret::new("hunter3"), ..config.clone() };
    let refused = refusal(&wrong);
    assert!(refused.contains("password authentication failed"), "{refused}");
    assert!(!refused.contains("hunter"), "{refused}");
    assert!(!format!("{wrong:?}").contains("hunter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_as_sslmode_says() {
    let authority = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), Issuer::new(params, key))
    };
    let ((trusted, issuer), (stranger, _)) = (authority("ours"), authority("another"));
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let server = PostgresServer::start_with(&[], |folder| {
        fs::write(folder.join("server.crt"), certificate.pem()).unwrap();
        fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
        fs::set_permissions(folder.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
        let file = |name: &str| folder.join(name).display().to_string();
        vec![
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("server.crt")),
            format!("ssl_key_file={}", file("server.key")),
        ]
    });
    let files = tempfile::tempdir().unwrap();
    let pem = |name: &str, text: &str| {
        fs::write(files.path().join(name), text).unwrap();
        files.path().join(name).display().to_string()
    };
    let (trusted, stranger) = (pem("trusted.pem", &trusted), pem("stranger.pem", &stranger));
    let open = |host: &str, parameters: &str| {
        let url = format!("postgres://sockeye@{host}:{}/sockeye?{parameters}", server.port());
        StoreConfig { url, ..StoreConfig::default() }
    };
    for (host, parameters) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={trusted}")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={trusted}")),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", "sslmode=prefer".to_owned()),
        ("127.0.0.1", "sslmode=disable".to_owned()),
    ] {
        let store = TestStore::open(open(host, &parameters));
        store.post("tea", "ada", &parameters).await;
        let client = connect(&server.url()).await;
        let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE ssl AND application_name = 'sockeye'";
        let encrypted: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(encrypted > 0, parameters != "sslmode=disable", "{parameters}");
        store.store.close().await;
    }
    for (host, parameters) in [
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={trusted}")),
        ("localhost", format!("sslmode=verify-full&sslrootcert={stranger}")),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={stranger}")),
        ("localhost", format!("sslmode=require&sslrootcert={stranger}")),
    ] {
        let refused = refusal(&open(host, &parameters));
        assert!(refused.contains("certificate"), "{parameters}: {refused}");
    }
}

/// Every query, with parameters, is planned on tables that are large enough for an index to be worth it.
#[tokio::test(flavor = "multi_thread")]
async fn no_query_reads_all_messages() {
    let store = TestStore::new(Engine::Postgres);
    let mut posts = Vec::new();
    for number in 0..6_000 {
        posts.push(store.queue(post(&format!("room {}", number % 50), &format!("user {}", number % 70), "x")));
    }
    for post in posts {
        post.await.unwrap().unwrap();
    }
    let mut deletions = Vec::new();
    let first = store.all("room 1").await[0].clone();
    for room in 0..20 {
        let messages = store.all(&format!("room {room}")).await;
        deletions.extend(messages.into_iter().map(|message| store.queue(DeleteMessage { id: message.id, by: None })));
    }
    for deletion in deletions {
        deletion.await.unwrap().unwrap();
    }
    let client = connect(&store.config.url).await;
    client.batch_execute(&format!("SET search_path = {}; ANALYZE", store.config.schema)).await.unwrap();
    for (name, sql) in statement_texts() {
        let statement = client.prepare(sql).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let arguments: Vec<String> = statement.params().iter().map(|kind| argument(kind.name(), first.id)).collect();
        client.batch_execute(&format!("DEALLOCATE ALL; PREPARE planned AS {sql}")).await.unwrap();
        let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        let plan = client.query(&format!("EXPLAIN EXECUTE planned{arguments}"), &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan on messages"), "{name}:\n{plan}");
        assert!(!plan.contains("Seq Scan on changes"), "{name}:\n{plan}");
    }
}

/// An argument of a type, as SQL writes it.
fn argument(kind: &str, message: MessageId) -> String {
    match kind {
        "int8" => "100".to_owned(),
        "bool" => "true".to_owned(),
        "text" => "'room'".to_owned(),
        "uuid" => format!("'{message}'"),
        "_int8" => "ARRAY[1, 2]::bigint[]".to_owned(),
        "_bool" => "ARRAY[true, false]".to_owned(),
        "_text" => "ARRAY['room 1', 'room 2']".to_owned(),
        "_bytea" => "ARRAY['\\x01', '\\x02']::bytea[]".to_owned(),
        "_uuid" => format!("ARRAY['{message}']::uuid[]"),
        other => panic!("no argument of the type {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rooms_row_says_who_committed_last_and_when() {
    let store = TestStore::new(Engine::Postgres);
    store.post("tea", "ada", "1").await;
    store.join("bob", "quiet").await.unwrap();
    let client = connect(&store.config.url).await;
    client.batch_execute(&format!("SET search_path = {}", store.config.schema)).await.unwrap();
    let rows = client.query("SELECT key, committed_by, committed_at FROM rooms ORDER BY key", &[]).await.unwrap();
    let rows: Vec<(String, bool, bool)> = rows
        .iter()
        .map(|row| (row.get(0), row.get::<_, Option<&str>>(1).is_some(), row.get::<_, Option<i64>>(2).is_some()))
        .collect();
    assert_eq!(rows, [("quiet".to_owned(), false, false), ("tea".to_owned(), true, true)]);
    assert_eq!(store.store.memberships(id("bob")).await.unwrap().len(), 1);
    assert!(
        store
            .store
            .page(named("quiet"), id("bob"), crate::store::Direction::Last, 1)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
}
