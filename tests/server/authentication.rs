//! An application's own check of clients: `Server::authenticate`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use sockeye::{Config, Ctx, Handshake, Identity, Refusal, Server, Timestamp, User, UserId};

use crate::{client::Client, harness::TestServer};

/// Who has a session with this cookie.
async fn by_cookie(handshake: Handshake) -> Result<User, Refusal> {
    tokio::task::yield_now().await;
    let name = match handshake.cookie("sid").as_deref() {
        Some("s-ada") => "Ada",
        Some("s-bob") => "Bob",
        Some("s-system") => return Ok(user("system")),
        Some("s-broken") => panic!("the store of sessions is broken"),
        _ => return Err(Refusal::new("log in first", json!({ "at": "/login" }))),
    };
    Ok(user(name))
}

fn user(name: &str) -> User {
    User::new(UserId::parse(&name.to_lowercase()).unwrap(), name).unwrap()
}

async fn who(ctx: Ctx, (): ()) -> String {
    ctx.user().name.to_string()
}

async fn with_cookie(server: &TestServer, cookie: &str) -> Client {
    Client::open(server.address, "", &[("cookie", cookie)]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_says_who_a_client_is() {
    let build = |_| Server::bare(Config::bare()).authenticate(by_cookie).on("who", who);
    let server = TestServer::with(|_| (), build).await;
    for (cookie, name) in [("sid=s-ada", "Ada"), ("x=1; sid=s-bob", "Bob")] {
        let mut client = with_cookie(&server, cookie).await;
        // What the server itself would go by is not asked.
        client.connect("", &json!({ "userId": "eve", "name": "Eve" })).await.unwrap();
        assert_eq!(client.ask("who", Value::Null).await, name);
    }
    for (cookie, error) in
        [("sid=forged", "log in first"), ("sid=s-system", "unauthorized"), ("sid=s-broken", "unavailable")]
    {
        let mut client = with_cookie(&server, cookie).await;
        assert_eq!(client.connect("", &json!({})).await, Err(error.to_owned()), "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_the_chat_may_be_the_applications() {
    let check = async |handshake: Handshake| {
        let user = by_cookie(handshake).await?;
        Ok(Identity::new(user).with_rooms(["team-*"]))
    };
    let open = |config: &mut Config| config.rooms.open = vec!["public-?".to_owned()];
    let server = TestServer::with(open, |server| server.authenticate(check)).await;
    let mut ada = with_cookie(&server, "sid=s-ada").await;
    ada.connect("", &json!({ "name": "Eve" })).await.unwrap();
    assert_eq!(ada.event("session").await["user"], json!({ "id": "ada", "name": "Ada" }));
    for room in ["team-7", "public-1", "lobby", "dm:bob"] {
        ada.done("join-room", json!({ "room": room })).await;
    }
    for room in ["secret", "public-12"] {
        assert_eq!(ada.refused("join-room", json!({ "room": room })).await, "forbidden", "{room}");
    }
    assert_eq!(ada.refused("refresh-token", json!({ "token": "x.y.z" })).await, "bad-payload");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovered_socket_keeps_its_identity_without_another_check() {
    let checks = Arc::new(AtomicUsize::new(0));
    let mut config = Config::bare();
    config.recovery.window = Duration::from_secs(60);
    let build = |_| {
        let checks = checks.clone();
        let check = move |handshake| {
            checks.fetch_add(1, Ordering::Relaxed);
            by_cookie(handshake)
        };
        Server::bare(config).authenticate(check).on("who", who)
    };
    let server = TestServer::with(|_| (), build).await;
    let mut ada = with_cookie(&server, "sid=s-ada").await;
    ada.raw("40").await;
    let answer = ada.next_text().await;
    let answer: Value = serde_json::from_str(answer.strip_prefix("40").expect(&answer)).unwrap();
    drop(ada);
    let mut ada = with_cookie(&server, "").await;
    ada.connect("", &json!({ "pid": answer["pid"] })).await.unwrap();
    assert_eq!(ada.sid, answer["sid"]);
    assert_eq!(ada.ask("who", Value::Null).await, "Ada");
    assert_eq!(checks.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_expires_unless_it_is_renewed() {
    let check = async |handshake: Handshake| {
        let now = handshake.time().as_millis();
        let end = if handshake.query("expired").is_some() { now - 600_000 } else { now + 600_000 };
        Ok(Identity::new(by_cookie(handshake).await?).with_expiry(Timestamp::from_millis(end)))
    };
    let renew = async |ctx: Ctx, (name, pattern): (String, String)| {
        ctx.renew(Identity::new(user(&name)).with_rooms([pattern]))?;
        Ok((ctx.rooms(), ctx.identity().expires_at.is_some()))
    };
    let build = move |_| {
        Server::bare(Config::bare())
            .authenticate(check)
            .connection(async |ctx: Ctx| {
                ctx.join("blue")?;
                ctx.join("red")
            })
            .on("who", who)
            .on("renew", renew)
    };
    let server = TestServer::with(|_| (), build).await;
    let mut late = Client::open(server.address, "&expired=1", &[("cookie", "sid=s-ada")]).await.unwrap();
    late.connect("", &json!({})).await.unwrap();
    assert_eq!(late.ask("who", Value::Null).await["error"]["code"], "token-expired");

    let mut ada = with_cookie(&server, "sid=s-ada").await;
    ada.connect("", &json!({})).await.unwrap();
    ada.raw(r#"427["renew","Bob","*"]"#).await;
    assert_eq!(ada.reply(7).await["error"]["code"], "forbidden");
    ada.raw(r#"428["renew","Ada","bl*"]"#).await;
    assert_eq!(ada.next_text().await, r#"438[["blue"],false]"#);
}
