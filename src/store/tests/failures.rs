//! PostgreSQL that is killed, and connections that are cut, also in the middle of a commit.

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::{
    engines::{TestStore, new_schema, post, shared_url},
    postgres_server::PostgresServer,
};
use crate::{config::StoreConfig, error::Code};

/// How a proxy cuts a connection at a COMMIT.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    /// The server does not get the request.
    Before,
    /// The server gets the request, and its answer is lost.
    After,
    /// The connection ends while the server works on the request.
    Amid,
    /// The answer comes late, but it comes.
    Late,
}

/// Counts the COMMITs that the proxy has seen, and says which of them it cuts.
#[derive(Default)]
struct Commits {
    seen: AtomicUsize,
    cut: AtomicUsize,
}

impl Commits {
    /// Every third one is cut, in each way in turn.
    fn next(&self) -> Option<Cut> {
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        (number % 3 == 2).then(|| {
            let cut = self.cut.fetch_add(1, Ordering::Relaxed);
            [Cut::Before, Cut::After, Cut::Amid, Cut::Late][cut % 4]
        })
    }
}

/// Starts a proxy to the server's port. Returns its own port.
async fn proxy(server: u16, commits: Arc<Commits>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let commits = commits.clone();
            tokio::spawn(async move {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await {
                    // The end of a connection is no failure here.
                    drop(forward(client, server, &commits).await);
                }
            });
        }
    });
    port
}

/// Forwards both ways, and looks for COMMITs in what the client sends.
async fn forward(mut client: TcpStream, mut server: TcpStream, commits: &Commits) -> std::io::Result<()> {
    const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let sent = &from_client[..read?];
                if sent.is_empty() {
                    return Ok(());
                }
                // The writer sends it alone.
                match (sent == COMMIT).then(|| commits.next()).flatten() {
                    Some(Cut::Before) => return Ok(()),
                    Some(Cut::After) => {
                        server.write_all(sent).await?;
                        return server.read(&mut from_server).await.map(drop);
                    }
                    Some(Cut::Amid) => return server.write_all(sent).await,
                    Some(Cut::Late) => {
                        server.write_all(sent).await?;
                        sleep(Duration::from_millis(200)).await;
                    }
                    None => server.write_all(sent).await?,
                }
            }
            read = server.read(&mut from_server) => {
                let sent = &from_server[..read?];
                if sent.is_empty() {
                    return Ok(());
                }
                client.write_all(sent).await?;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_in_a_commit_loses_and_doubles_nothing() {
    let server: u16 = shared_url().rsplit_once(':').unwrap().1.split_once('/').unwrap().0.parse().unwrap();
    let commits = Arc::new(Commits::default());
    let port = proxy(server, commits.clone()).await;
    let url = format!("postgres://sockeye@127.0.0.1:{port}/sockeye?sslmode=disable");
    let store = TestStore::open(StoreConfig { url, schema: new_schema(), ..StoreConfig::default() });
    let mut acknowledged = BTreeMap::new();
    for round in 0..60 {
        let posts: Vec<_> = (0..5)
            .map(|number| {
                let text = format!("{round}.{number}");
                (store.queue(post("tea", "ada", &text)), text)
            })
            .collect();
        for (post, text) in posts {
            let message = post.await.unwrap().expect("what became of the commit is found out").message;
            acknowledged.insert(message.offset, (message.id, text));
        }
    }
    assert!(commits.cut.load(Ordering::Relaxed) >= 16, "the proxy has cut connections");
    let stored: BTreeMap<_, _> =
        store.all("tea").await.into_iter().map(|message| (message.offset, (message.id, text_of(&message)))).collect();
    assert_eq!(stored, acknowledged);
}

fn text_of(message: &crate::model::Message) -> String {
    let body: serde_json::Value = serde_json::from_str(message.body.as_str()).unwrap();
    body["text"].as_str().unwrap().to_owned()
}

/// How often the server is killed: `SOAK_KILLS`, or three times.
fn kills() -> usize {
    env::var("SOAK_KILLS").map_or(3, |kills| kills.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged() {
    let mut server = PostgresServer::start();
    let store = Arc::new(TestStore::open(StoreConfig { url: server.url(), ..StoreConfig::default() }));
    let is_over = Arc::new(AtomicUsize::new(0));
    let writers = ["a", "b", "c"].map(|room| {
        let (store, is_over) = (store.clone(), is_over.clone());
        tokio::spawn(async move {
            let (mut acknowledged, mut number) = (BTreeMap::new(), 0);
            while is_over.load(Ordering::Relaxed) == 0 {
                let posts: Vec<_> = (0..4)
                    .map(|_| {
                        number += 1;
                        (store.queue(post(room, "ada", &number.to_string())), number.to_string())
                    })
                    .collect();
                for (post, text) in posts {
                    match post.await.unwrap() {
                        Ok(saved) => drop(acknowledged.insert(saved.message.offset, text)),
                        Err(error) => assert_eq!(error.code(), Code::Unavailable),
                    }
                }
            }
            acknowledged
        })
    });
    for kill in 0..kills() {
        sleep(Duration::from_millis(50 + (kill as u64 * 137) % 400)).await;
        server = tokio::task::spawn_blocking(move || {
            server.kill();
            server.run();
            server
        })
        .await
        .unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while store.write(post("d", "ada", "back")).await.is_err() || !store.store.is_ready().await {
            assert!(Instant::now() < until, "the store works again");
            sleep(Duration::from_millis(20)).await;
        }
    }
    is_over.store(1, Ordering::Relaxed);
    for (room, writer) in ["a", "b", "c"].into_iter().zip(writers) {
        let acknowledged = writer.await.unwrap();
        assert!(!acknowledged.is_empty());
        let stored: Vec<(u64, String)> =
            store.all(room).await.iter().map(|message| (message.offset, text_of(message))).collect();
        let offsets: Vec<u64> = stored.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, (1..=stored.len() as u64).collect::<Vec<_>>(), "no hole");
        let mut texts: Vec<&String> = stored.iter().map(|(_, text)| text).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), stored.len(), "nothing twice");
        let stored: BTreeMap<u64, String> = stored.into_iter().collect();
        for (offset, text) in acknowledged {
            assert_eq!(stored.get(&offset), Some(&text));
        }
    }
    store.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_writes_and_reads_are_unavailable_in_time() {
    let mut server = PostgresServer::start();
    let store = TestStore::open(StoreConfig { url: server.url(), ..StoreConfig::default() });
    let first = store.post("tea", "ada", "1").await;
    server.kill();
    assert!(!store.store.is_ready().await);
    // The first waits for the database to come back. Those behind it do not wait as long again.
    let posts: Vec<_> = (0..3_000).map(|_| store.queue(post("tea", "ada", "lost"))).collect();
    for post in posts {
        assert_eq!(post.await.unwrap().unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(store.store.message(first.id).await.unwrap_err().code(), Code::Unavailable);
    server.run();
    let until = Instant::now() + Duration::from_secs(20);
    while !store.store.is_ready().await {
        assert!(Instant::now() < until, "the store works again");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.post("tea", "ada", "2").await.offset, 2);
    assert_eq!(store.all("tea").await.len(), 2);
}
