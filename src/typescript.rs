//! An application's events as TypeScript (feature `typescript`): the interfaces that `socket.io-client` is typed with.
//!
//! [`Contract`] lists the events with their types, which derive `TS` of the crate `ts-rs`. A test or a build step writes
//! the file, so that a frontend compiles against the backend as it is.

mod declarations;

use std::{fmt::Write as _, fs, io, path::Path};

use ts_rs::{Config, TS};

use self::declarations::Declarations;
use crate::protocol::{ClientEvent, ReplyForm, ServerEvent, is_tuple};

/// The events of a namespace, to be written as `ClientToServerEvents` and `ServerToClientEvents`.
///
/// The type of an event's payload is written as it is sent: a tuple is several arguments, `()` is none, every other type
/// is one. `R` is what the handler returns, and becomes the callback, the last argument: with it `emitWithAck` is typed.
/// An event whose `R` is `()` has no callback. 64-bit integers are `number`, as JSON has them. A field of `Bytes` needs
/// `#[ts(type = "ArrayBuffer")]`, which is what a browser gets.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use sockeye::{ClientEvent, ServerEvent, typescript::Contract};
/// use ts_rs::TS;
///
/// #[derive(Deserialize, TS)]
/// struct PlaceBid { item: String, amount: u64 }
/// impl ClientEvent for PlaceBid { const NAME: &'static str = "place-bid"; }
///
/// #[derive(Serialize, TS)]
/// struct BidPlaced { item: String, amount: u64, bidder: String }
/// impl ServerEvent for BidPlaced { const NAME: &'static str = "bid-placed"; }
///
/// let contract = Contract::new()
///     .client::<PlaceBid, BidPlaced>()
///     .client_named::<(u8, u8), ()>("play")
///     .server::<BidPlaced>()
///     .server_named::<(u8, u8)>("played");
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("client/src/events.ts");
/// # let events_ts = file.as_path();
/// // let events_ts = "client/src/events.ts";
/// contract.write(events_ts)?;
/// assert!(contract.text().contains(r#"  "play": (arg1: number, arg2: number) => void;"#));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// In the frontend: `const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();`
#[derive(Debug, Default)]
#[must_use = "nothing is written without `write`"]
pub struct Contract {
    reply_form: Option<ReplyForm>,
    declarations: Declarations,
    client: Vec<Event>,
    server: Vec<Event>,
}

/// One event, in TypeScript.
#[derive(Debug)]
struct Event {
    name: String,
    /// The arguments' types.
    arguments: Vec<String>,
    /// The types of the acknowledgement's arguments, if the event has a callback.
    reply: Option<Vec<String>>,
}

impl Contract {
    /// A contract without events, for a bare server: a handler that fails acknowledges `{ error }`, so that the callback
    /// of a client's event may get that.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the server acknowledges: `ReplyForm::Enveloped` is that of a server with the chat.
    pub fn reply_form(mut self, form: ReplyForm) -> Self {
        self.reply_form = Some(form);
        self
    }

    /// Adds an event from the client, whose name is its payload type's.
    ///
    /// # Panics
    ///
    /// Here and below: if the contract has an event of this name and direction, or two types of one name.
    pub fn client<E: ClientEvent + TS, R: TS + 'static>(self) -> Self {
        self.client_named::<E, R>(E::NAME)
    }

    /// Adds an event from the client with this name.
    pub fn client_named<T: TS + 'static, R: TS + 'static>(mut self, name: &str) -> Self {
        let arguments = self.types::<T>();
        let reply = self.types::<R>();
        add(&mut self.client, name, arguments, Some(reply).filter(|reply| !reply.is_empty()));
        self
    }

    /// Adds an event from the server, whose name is its payload type's.
    pub fn server<E: ServerEvent + TS + 'static>(self) -> Self {
        self.server_named::<E>(E::NAME)
    }

    /// Adds an event from the server with this name.
    pub fn server_named<T: TS + 'static>(mut self, name: &str) -> Self {
        let arguments = self.types::<T>();
        add(&mut self.server, name, arguments, None);
        self
    }

    /// Adds an event from the server that the client acknowledges with `R`, as `emit_with_ack` asks for it.
    pub fn server_with_ack<T: TS + 'static, R: TS + 'static>(mut self, name: &str) -> Self {
        let arguments = self.types::<T>();
        let reply = self.types::<R>();
        add(&mut self.server, name, arguments, Some(reply));
        self
    }

    /// Writes the file, and the folder that it is in, if the file is not already like this. Returns whether it was
    /// written: a test may demand that it was not.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        let (path, text) = (path.as_ref(), self.text());
        if fs::read_to_string(path).is_ok_and(|current| current == text) {
            return Ok(false);
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
        Ok(true)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        // Writing to a `String` cannot fail.
        let mut text = String::from("// Written by sockeye from the types of the server. Do not edit.\n\n");
        text += &self.declarations.text();
        if self.client.iter().any(|event| event.reply.is_some()) {
            text += match self.reply_form {
                Some(ReplyForm::Enveloped) => {
                    "/** What a callback gets. */\nexport type Reply<T> =\n  | { success: true; data: T }\n  \
                     | { success: false; error: { code: string; message: string; data?: unknown } };\n\n"
                }
                _ => {
                    "/** What a callback gets when the event fails. */\n\
                     export type Failed = { error: { code: string; message: string; data?: unknown } };\n\n"
                }
            };
        }
        let sides = [("ServerToClientEvents", &self.server, false), ("ClientToServerEvents", &self.client, true)];
        for (place, (interface, events, may_fail)) in sides.into_iter().enumerate() {
            let gap = if place == 0 { "" } else { "\n" };
            let doc = "/** For `Socket<ServerToClientEvents, ClientToServerEvents>`. */";
            let _ = writeln!(text, "{gap}{doc}\nexport interface {interface} {{");
            for event in events {
                let _ = writeln!(text, "  {}: ({}) => void;", quoted(&event.name), self.parameters(event, may_fail));
            }
            text += "}\n";
        }
        text
    }

    /// The parameters of an event's listener.
    fn parameters(&self, event: &Event, may_fail: bool) -> String {
        let mut parameters = named(&event.arguments, "payload", "arg");
        let replies = event.reply.as_ref().map(|reply| match self.reply_form {
            _ if !may_fail => named(reply, "reply", "reply"),
            Some(ReplyForm::Enveloped) => {
                let data = if let [one] = &reply[..] { one.clone() } else { format!("[{}]", reply.join(", ")) };
                vec![format!("reply: Reply<{data}>")]
            }
            _ => {
                // An error is the first argument, and then the only one.
                let mut replies = named(reply, "reply", "reply");
                if let Some(first) = replies.first_mut() {
                    *first += " | Failed";
                }
                replies
            }
        });
        parameters.extend(replies.map(|replies| format!("ack: ({}) => void", replies.join(", "))));
        parameters.join(", ")
    }

    /// The arguments that a type is, in TypeScript. Its declarations are added.
    fn types<T: TS + 'static>(&mut self) -> Vec<String> {
        self.declarations.add::<T>();
        let written = T::name(&config());
        match written.strip_prefix('[').and_then(|written| written.strip_suffix(']')) {
            _ if !is_tuple::<T>() => vec![written],
            Some(elements) => elements_of(elements),
            // `()` is null.
            None => Vec::new(),
        }
    }
}

/// JSON has no other numbers.
fn config() -> Config {
    Config::default().with_large_int("number")
}

fn add(events: &mut Vec<Event>, name: &str, arguments: Vec<String>, reply: Option<Vec<String>>) {
    assert!(events.iter().all(|event| event.name != name), "{name:?} is in the contract already");
    events.push(Event { name: name.to_owned(), arguments, reply });
}

/// Parameters of these types: `one` is the name of an only one.
fn named(types: &[String], one: &str, several: &str) -> Vec<String> {
    match types {
        [only] => vec![format!("{one}: {only}")],
        types => types.iter().enumerate().map(|(place, name)| format!("{several}{}: {name}", place + 1)).collect(),
    }
}

/// The elements of a tuple's type, at the commas that are in no brackets and no text.
fn elements_of(text: &str) -> Vec<String> {
    let (mut elements, mut element, mut depth, mut quote) = (Vec::new(), String::new(), 0_usize, None);
    for c in text.chars() {
        match c {
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c if quote == Some(c) => quote = None,
            '[' | '(' | '{' | '<' if quote.is_none() => depth += 1,
            ']' | ')' | '}' | '>' if quote.is_none() => depth = depth.saturating_sub(1),
            ',' if quote.is_none() && depth == 0 => {
                elements.push(std::mem::take(&mut element).trim().to_owned());
                continue;
            }
            _ => {}
        }
        element.push(c);
    }
    if !element.trim().is_empty() {
        elements.push(element.trim().to_owned());
    }
    elements
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_is_split_where_its_elements_end() {
        let text = r#"number, Array<[string, number]>, "a,b" | null, { [key in string]: number }"#;
        let elements = ["number", "Array<[string, number]>", r#""a,b" | null"#, "{ [key in string]: number }"];
        assert_eq!(elements_of(text), elements);
        assert_eq!(elements_of(""), [""; 0]);
        let mut contract = Contract::new();
        assert_eq!(contract.types::<(u8, Vec<(bool, String)>)>(), ["number", "Array<[boolean, string]>"]);
        assert_eq!(contract.types::<(u64,)>(), ["number"]);
        assert_eq!(contract.types::<()>(), [""; 0]);
        assert_eq!(contract.types::<[u8; 2]>(), ["[number, number]"]);
    }

    #[test]
    #[should_panic(expected = "\"play\" is in the contract already")]
    fn an_event_is_in_a_contract_once() {
        drop(Contract::new().client_named::<(), ()>("play").client_named::<u8, ()>("play"));
    }
}
