//! A contract as TypeScript: the compiler takes it together with the official client, and refuses what it must.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

use std::{fs, path::Path, process::Command};

use serde::{Deserialize, Serialize};
use sockeye::{ClientEvent, ReplyForm, ServerEvent, typescript::Contract};
use ts_rs::TS;

/// A bidder offers an amount.
#[derive(Deserialize, TS)]
#[expect(dead_code, reason = "only its TypeScript is looked at")]
struct PlaceBid {
    item: String,
    /// In whole euros.
    amount: u64,
}

impl ClientEvent for PlaceBid {
    const NAME: &'static str = "place-bid";
}

#[derive(Serialize, TS)]
#[serde(rename_all = "camelCase")]
struct BidPlaced {
    item: String,
    amount: u64,
    first_bidder: Bidder,
    history: Page<Bidder>,
}

impl ServerEvent for BidPlaced {
    const NAME: &'static str = "bid-placed";
}

#[derive(Serialize, TS)]
struct Bidder {
    name: Option<String>,
}

#[derive(Serialize, TS)]
struct Page<T> {
    items: Vec<T>,
}

fn contract() -> Contract {
    Contract::new()
        .client::<PlaceBid, BidPlaced>()
        .client_named::<(u8, u8), ()>("play")
        .client_named::<(), Vec<String>>("who")
        .client_named::<String, (u8, bool)>("count")
        .server::<BidPlaced>()
        .server_named::<(u8, u8)>("played")
        .server_named::<()>("over")
        .server_with_ack::<String, u32>("how-many")
}

/// What a frontend does with it. Lines below `@ts-expect-error` must not compile.
const FRONTEND: &str = r#"
import { io, type Socket } from "socket.io-client";
import type { BidPlaced, ClientToServerEvents, ServerToClientEvents } from "./events";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();
socket.on("bid-placed", (bid) => { const name: string | null = bid.firstBidder.name; void name; });
socket.on("played", (row, column) => { const sum: number = row + column; void sum; });
socket.on("over", () => {});
socket.on("how-many", (what, ack) => ack(what.length));
socket.emit("play", 1, 2);
socket.emit("place-bid", { item: "vase", amount: 5 }, (reply) => {
  if ("error" in reply) { const code: string = reply.error.code; void code; return; }
  const bid: BidPlaced = reply; const items = bid.history.items.length; void items;
});
socket.emit("count", "a", (reply1, reply2) => { const is: boolean = reply2; void reply1; void is; });
async function ask() {
  const who = await socket.emitWithAck("who");
  if (!("error" in who)) { const first: string | undefined = who[0]; void first; }
  const late = await socket.timeout(10).emitWithAck("place-bid", { item: "vase", amount: 5 });
  if (!("error" in late)) { const amount: number = late.amount; void amount; }
}
void ask;
// @ts-expect-error
socket.emit("play", 1);
// @ts-expect-error
socket.emit("plya", 1, 2);
// @ts-expect-error
socket.emitWithAck("place-bid", { item: "vase" });
// @ts-expect-error
socket.on("bid-placed", (bid) => bid.bidder);
// @ts-expect-error
socket.on("how-many", (what, ack) => ack(what));
"#;

fn compile(contract: &Contract, frontend: &str) -> (bool, String) {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("client-demo/node_modules");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules")).unwrap();
    contract.write(folder.path().join("events.ts")).unwrap();
    fs::write(folder.path().join("main.ts"), frontend).unwrap();
    let tsc = Command::new("node")
        .arg(modules.join("typescript/bin/tsc"))
        .args(["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext"])
        .args(["--moduleResolution", "bundler", "--lib", "es2022,dom", "--types", "", "main.ts"])
        .current_dir(folder.path())
        .output()
        .expect("node is installed, and `make demo` has installed typescript");
    (tsc.status.success(), String::from_utf8_lossy(&tsc.stdout).into_owned())
}

#[test]
fn the_contract_types_the_official_client() {
    let (compiles, output) = compile(&contract(), FRONTEND);
    assert!(compiles, "{output}\n{}", contract().text());
    let (compiles, output) = compile(&contract(), "const text: number = \"a\";");
    assert!(!compiles && output.contains("main.ts"), "the compiler looks at the file: {output}");
}

#[test]
fn a_contract_of_a_server_with_the_chat_has_its_envelope() {
    let contract = Contract::new().reply_form(ReplyForm::Enveloped).client::<PlaceBid, Option<BidPlaced>>();
    let frontend = r#"
import { io, type Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "./events";
const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();
socket.emit("place-bid", { item: "vase", amount: 5 }, (reply) => {
  const text: string | undefined = reply.success ? reply.data?.item : reply.error.message; void text;
});
"#;
    let (compiles, output) = compile(&contract, frontend);
    assert!(compiles, "{output}\n{}", contract.text());
}

#[test]
fn the_file_is_written_only_if_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("src/events.ts");
    assert!(contract().write(&path).unwrap());
    assert!(!contract().write(&path).unwrap());
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("/**\n * A bidder offers an amount.\n */\nexport type PlaceBid ="), "{text}");
    assert!(text.contains(r#"  "place-bid": (payload: PlaceBid, ack: (reply: BidPlaced | Failed) => void) => void;"#));
    assert!(text.contains(r#"  "how-many": (payload: string, ack: (reply: number) => void) => void;"#), "{text}");
}
