//! An auction: a namespace, a room per item, a bid with an acknowledgement, a broadcast.
//!
//! Run it with `cargo run --example auction`, then from a browser or Node:
//!
//! ```js
//! const auction = io("http://localhost:8000/auction", { auth: { name: "Ada" } });
//! auction.on("bid-placed", console.log);
//! await auction.emitWithAck("watch-item", "painting");
//! await auction.emitWithAck("place-bid", { item: "painting", amount: 100 });
//! ```

use std::{collections::HashMap, sync::Arc};

use axum::Router;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sockeye::{Config, Ctx, Error, Events, Result, Server};

/// A bid in whole euros: as a client offers it, and as all sockets that watch the item receive it.
#[derive(Clone, Deserialize, Serialize)]
struct Bid {
    item: String,
    amount: u64,
    #[serde(skip_deserializing)]
    bidder: String,
}

/// The highest bids by item. A real auction would keep them in a database.
type Bids = Arc<Mutex<HashMap<String, Bid>>>;

/// An auction on `/auction`.
pub fn with_auction(server: Server) -> Server {
    server
        .state(Bids::default())
        .namespace("/auction", Events::new().on("watch-item", watch_item).on("place-bid", place_bid))
}

/// Answers with the highest bid so far, if there is one.
async fn watch_item(ctx: Ctx, item: String) -> Result<Option<Bid>> {
    ctx.join(&item)?;
    Ok(ctx.state::<Bids>().lock().get(&item).cloned())
}

async fn place_bid(ctx: Ctx, mut bid: Bid) -> Result<Bid> {
    bid.bidder = ctx.user().name.to_string();
    // Held while emitting, so that bids are received in the order in which they were accepted.
    let bids = ctx.state::<Bids>();
    let mut bids = bids.lock();
    if let Some(highest) = bids.get(&bid.item).filter(|highest| highest.amount >= bid.amount) {
        return Err(Error::Conflict(format!("{} has offered {}", highest.bidder, highest.amount)));
    }
    bids.insert(bid.item.clone(), bid.clone());
    ctx.nsp().to(&bid.item).emit("bid-placed", &bid)?;
    Ok(bid)
}

#[tokio::main]
#[allow(dead_code, reason = "the tests use the namespace alone")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    with_auction(Server::bare(Config::bare())).serve(listener, Router::new(), std::future::pending()).await?;
    Ok(())
}
