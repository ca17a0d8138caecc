//! An unmodified rust_socketio client. It emits the events that it reads from standard input, and writes the events that
//! it receives to standard output, one JSON per line. Arguments: the server's URL and the transports.

use std::io;

use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{Value, json};

fn received(event: &str, args: Value) {
    println!("{}", json!({ "event": event, "args": args }));
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("no URL")?;
    let transport = match arguments.next().as_deref() {
        Some("websocket") => TransportType::Websocket,
        Some("polling") => TransportType::Polling,
        _ => TransportType::Any,
    };
    let client = ClientBuilder::new(url)
        .transport_type(transport)
        .reconnect(false)
        .on(Event::Connect, |_, _| received("connect", json!([])))
        .on(Event::Error, |payload, _| eprintln!("{payload:?}"))
        .on_any(|event, payload, _| {
            let args = match payload {
                Payload::Text(values) => Value::Array(values),
                Payload::Binary(bytes) => json!([bytes_as_json(&bytes)]),
                _ => return,
            };
            received(&String::from(event), args);
        })
        .connect()?;
    for line in io::stdin().lines() {
        let said: Value = serde_json::from_str(&line?)?;
        let event = said["emit"].as_str().ok_or("no event")?;
        let args = said["args"].as_array().cloned().unwrap_or_default();
        match args.as_slice() {
            [Value::Object(one)] if one.contains_key("bytes") => {
                client.emit(event, bytes_of(one["bytes"].as_str().ok_or("no digits")?)?)?;
            }
            _ => client.emit(event, args)?,
        }
    }
    client.disconnect()?;
    Ok(())
}

fn bytes_as_json(bytes: &[u8]) -> Value {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "bytes": digits })
}

fn bytes_of(digits: &str) -> Result<Vec<u8>, std::num::ParseIntError> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16)).collect()
}
