//! A user's sockets in the HTTP API and in handlers.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sockeye::{
    Events,
    config::{Key, Scope},
};

use crate::{
    client::{Client, Heard},
    harness::{TestServer, request},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_lists_and_disconnects_devices_of_all_namespaces() {
    let known = Key::new(hex::encode(Sha256::digest("sk_key")), [Scope::UsersRead, Scope::UsersWrite]);
    let server = TestServer::with(
        |config| drop(config.key.insert("test".to_owned(), known)),
        |server| server.namespace("/orders", Events::new()).namespace("/shop-{id}", Events::new()),
    )
    .await;
    let bearer = "Bearer sk_key";
    let call = async |method: &str, path: &str| -> Value {
        let answer = request(server.address, method, path, &[("Authorization", bearer)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap()["data"].take()
    };
    let ada = json!({ "userId": "ada" });
    let mut clients = vec![Client::with_auth(server.address, &ada).await];
    for namespace in ["/orders", "/shop-7"] {
        let mut client = Client::open(server.address, "", &[]).await.unwrap();
        client.connect(namespace, &ada).await.unwrap();
        clients.push(client);
    }
    let mut bob = Client::named(server.address, "Bob").await;
    // A client with an acknowledgement has joined its namespace.
    for client in &mut clients {
        client.refused("no-such-event", json!({})).await;
    }
    let user = call("GET", "/api/users/ada").await;
    let devices = user["devices"].as_array().unwrap().iter();
    let mut devices: Vec<_> = devices.map(|device| (device["namespace"].clone(), device["socketId"].clone())).collect();
    devices.sort_by_key(|(namespace, _)| namespace.to_string());
    let wanted = ["/", "/orders", "/shop-7"].iter().zip(&clients);
    let wanted: Vec<_> = wanted.map(|(namespace, client)| (json!(namespace), json!(client.sid))).collect();
    assert_eq!(devices, wanted);

    let path = format!("/api/users/ada/devices/{}", clients[2].sid);
    assert_eq!(call("DELETE", &path).await, json!({ "sockets": 1 }));
    clients[2].wait(|heard| *heard == Heard::Disconnect).await;
    assert_eq!(call("POST", "/api/users/ada/disconnect").await, json!({ "sockets": 2 }));
    for client in &mut clients[..2] {
        client.wait(|heard| *heard == Heard::Disconnect).await;
    }
    bob.done("list-users", json!({})).await;
}
