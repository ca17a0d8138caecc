//! Typed events of one's own: a namespace, a room per item, a bid, a broadcast.
//!
//! Run it with `cargo run --example auction`, then from a browser or Node:
//!
//! ```js
//! const auction = io("http://localhost:8000/auction", { auth: { name: "Ada" } });
//! auction.on("bid-placed", console.log);
//! await auction.emitWithAck("watch-item", { item: "painting" });
//! await auction.emitWithAck("place-bid", { item: "painting", amount: 100 });
//! ```

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sockeye::{ClientEvent, Config, Ctx, Error, Events, Result, Server, ServerEvent};

/// A bidder wants to hear of an item.
#[derive(Deserialize)]
struct WatchItem {
    item: String,
}

impl ClientEvent for WatchItem {
    const NAME: &'static str = "watch-item";
}

/// A bidder offers an amount, in whole euros.
#[derive(Deserialize)]
struct PlaceBid {
    item: String,
    amount: u64,
}

impl ClientEvent for PlaceBid {
    const NAME: &'static str = "place-bid";
}

/// Everybody who watches the item hears of a higher bid.
#[derive(Serialize, Clone)]
struct BidPlaced {
    item: String,
    amount: u64,
    bidder: String,
}

impl ServerEvent for BidPlaced {
    const NAME: &'static str = "bid-placed";
}

/// The highest bids by item. A real auction would keep them in a database.
type Bids = Arc<Mutex<HashMap<String, BidPlaced>>>;

/// The auction's namespace.
pub fn events() -> Events {
    let bids = Bids::default();
    let book = bids.clone();
    Events::new()
        .on(move |ctx, payload| watch_item(ctx, payload, bids.clone()))
        .on(move |ctx, payload| place_bid(ctx, payload, book.clone()))
}

/// Answers with the highest bid so far, if there is one.
async fn watch_item(ctx: Ctx, watch: WatchItem, bids: Bids) -> Result<Option<BidPlaced>> {
    ctx.join(&watch.item)?;
    Ok(bids.lock().get(&watch.item).cloned())
}

async fn place_bid(ctx: Ctx, bid: PlaceBid, bids: Bids) -> Result<BidPlaced> {
    let placed = BidPlaced { item: bid.item, amount: bid.amount, bidder: ctx.user().name.to_string() };
    // Held while emitting, so that bids are heard in the order they were taken.
    let mut bids = bids.lock();
    if let Some(highest) = bids.get(&placed.item).filter(|highest| highest.amount >= placed.amount) {
        return Err(Error::Conflict(format!("{} has offered {}", highest.bidder, highest.amount)));
    }
    bids.insert(placed.item.clone(), placed.clone());
    ctx.emit_to_room(&placed.item, &placed)?;
    Ok(placed)
}

#[tokio::main]
#[allow(dead_code, reason = "the tests use the namespace alone")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Server::new(Config::default()).namespace("/auction", events()).serve(listener, std::future::pending()).await?;
    Ok(())
}
