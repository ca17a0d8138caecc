//! `kill -9` under load: acknowledged messages survive.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    client::{Client, Heard},
    harness::Binary,
    postgres_server::PostgresServer,
};

/// How many times the server is killed, unless the environment variable `SOAK_KILLS` says otherwise.
const KILLS: u64 = 3;
/// Acknowledgements before each kill.
const AT_LEAST: u64 = 1_000;
const CLIENTS: u64 = 4;
const IN_FLIGHT: u64 = 32;

fn kills() -> u64 {
    std::env::var("SOAK_KILLS").map_or(KILLS, |kills| kills.parse().expect("SOAK_KILLS is a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_at_random_moments_loses_no_acknowledged_message() {
    kill_at_random_moments(&["limits.events-per-second=0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_at_random_moments_loses_no_message_acknowledged_with_postgres() {
    let postgres = PostgresServer::start();
    let url = format!("store.url={}", postgres.url());
    kill_at_random_moments(&["limits.events-per-second=0", &url]).await;
}

/// Clients send without a pause, and the process is killed at a random moment after 1,000 acknowledgements; then the
/// server is started again. Every acknowledged message must be stored, once, in order and without gaps.
async fn kill_at_random_moments(settings: &[&str]) {
    let data = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<u64, String> = BTreeMap::new();
    let kills = kills();
    for kill in 1..=kills {
        let server = Binary::serve(data.path(), settings).await;
        let enough = AT_LEAST + rand::random_range(0..AT_LEAST / 2);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let address = server.address;
        // All clients connect before the first one sends: they could not connect to a killed server.
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            clients.push(Client::named(address, &format!("sender {number}")).await);
        }
        let senders: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let tell = tell.clone();
                tokio::spawn(async move {
                    for n in 0..IN_FLIGHT {
                        let frame = format!(r#"42{n}["send-message",{{"room":"crash","n":{n}}}]"#);
                        if !client.try_raw(frame).await {
                            break;
                        }
                    }
                    loop {
                        match client.next().await {
                            Heard::Ack { reply, .. } => {
                                assert_eq!(reply["success"], true, "{reply}");
                                let message = &reply["data"];
                                let id = message["id"].as_str().unwrap().to_owned();
                                if tell.send((message["offset"].as_u64().unwrap(), id)).is_err() {
                                    return;
                                }
                                let frame = r#"42999["send-message",{"room":"crash"}]"#.to_owned();
                                if !client.try_raw(frame).await {
                                    return;
                                }
                            }
                            Heard::Closed => return,
                            _ => {}
                        }
                    }
                })
            })
            .collect();
        drop(tell);
        let mut count = 0;
        while let Some((offset, id)) = told.recv().await {
            assert_eq!(acknowledged.insert(offset, id), None, "an offset was given twice");
            count += 1;
            if count == enough {
                break;
            }
        }
        assert_eq!(count, enough, "kill {kill}");
        server.kill_9().await;
        // Messages acknowledged before the end of the process must be stored too.
        while let Some((offset, id)) = told.recv().await {
            acknowledged.insert(offset, id);
        }
        for sender in senders {
            sender.await.unwrap();
        }
    }
    let server = Binary::serve(data.path(), settings).await;
    let mut reader = Client::named(server.address, "reader").await;
    let head = reader.done("join-room", json!({ "room": "crash" })).await["head"]["offset"].as_u64().unwrap();
    let mut stored = BTreeMap::new();
    while (stored.len() as u64) < head {
        let after = stored.len();
        let page = reader.done("load-messages", json!({ "room": "crash", "after": after, "limit": 200 })).await;
        for message in page["messages"].as_array().unwrap() {
            let offset = message["offset"].as_u64().unwrap();
            assert_eq!(offset, stored.len() as u64 + 1, "in order, without holes");
            stored.insert(offset, message["id"].as_str().unwrap().to_owned());
        }
    }
    assert!(acknowledged.len() as u64 >= kills * AT_LEAST);
    for (offset, id) in &acknowledged {
        assert_eq!(stored.get(offset), Some(id), "an acknowledged message is gone");
    }
    server.kill_9().await;
    println!("{kills} kills, {} acknowledged messages", acknowledged.len());
}
