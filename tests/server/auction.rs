//! An application with events of its own: an auction with several clients.

use serde_json::json;

use crate::{client::Client, harness::TestServer};

#[path = "../../examples/auction.rs"]
mod example;

#[tokio::test(flavor = "multi_thread")]
async fn bids_reach_only_the_clients_that_watch_the_item() {
    let server = TestServer::with(|_| (), example::with_auction).await;
    let mut clients = Vec::new();
    for name in ["Ada", "Bob", "Eve"] {
        let mut client = Client::open(server.address, "", &[]).await.unwrap();
        client.connect("/auction", &json!({ "name": name })).await.unwrap();
        clients.push(client);
    }
    let [ada, bob, eve] = &mut clients[..] else { unreachable!() };
    assert_eq!(ada.done("watch-item", json!("painting")).await, json!(null));
    bob.done("watch-item", json!("painting")).await;
    eve.done("watch-item", json!("vase")).await;
    bob.done("place-bid", json!({ "item": "painting", "amount": 100 })).await;
    assert_eq!(ada.event("bid-placed").await, json!({ "item": "painting", "amount": 100, "bidder": "Bob" }));
    assert_eq!(ada.refused("place-bid", json!({ "item": "painting", "amount": 100 })).await, "conflict");
    assert_eq!(ada.refused("place-bid", json!({ "item": "painting" })).await, "bad-payload");
    assert_eq!(ada.refused("send-message", json!({})).await, "unknown-event");
    ada.done("place-bid", json!({ "item": "vase", "amount": 1 })).await;
    assert_eq!(eve.event("bid-placed").await["item"], "vase", "the first she hears is the vase's");
    assert!(eve.kept("bid-placed").is_empty());
}
