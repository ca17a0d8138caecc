//! The application's state, in handlers and in connect middleware.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::json;
use sockeye::{Ctx, Entrant, Events};

use crate::{client::Client, harness::TestServer};

#[derive(Clone, Default)]
struct Visits(Arc<AtomicU64>);

impl Visits {
    fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_and_middleware_of_all_namespaces_share_the_state() {
    let visits = Visits::default();
    let of_application = visits.clone();
    let counted = Events::new().middleware(async |entrant: Entrant| {
        entrant.state::<Visits>().add();
        Ok(())
    });
    let server = TestServer::with(
        |_| (),
        |server| {
            let server = server.state(of_application).state("of another type");
            server.namespace("/counted", counted).on("visit", async |ctx: Ctx, ()| ctx.state::<Visits>().add())
        },
    )
    .await;
    let mut ada = Client::named(server.address, "Ada").await;
    assert_eq!(ada.done("visit", json!(null)).await, 1);
    Client::open(server.address, "", &[]).await.unwrap().connect("/counted", &json!({ "name": "Bob" })).await.unwrap();
    assert_eq!(ada.done("visit", json!(null)).await, 3);
    assert_eq!(visits.0.load(Ordering::Relaxed), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_without_its_state_fails_alone() {
    let refusing = Events::new().middleware(async |entrant: Entrant| {
        entrant.state::<Visits>().add();
        Ok(())
    });
    let server = TestServer::with(
        |_| (),
        |server| {
            let server = server.namespace("/refusing", refusing);
            server.on("visit", async |ctx: Ctx, ()| ctx.state::<Visits>().add()).on("fine", async |_: Ctx, ()| true)
        },
    )
    .await;
    let mut ada = Client::named(server.address, "Ada").await;
    assert_eq!(ada.refused("visit", json!(null)).await, "unavailable");
    assert_eq!(ada.done("fine", json!(null)).await, true);
    let mut bob = Client::open(server.address, "", &[]).await.unwrap();
    assert_eq!(bob.connect("/refusing", &json!({ "name": "Bob" })).await, Err("unavailable".to_owned()));
}
