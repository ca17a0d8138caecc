//! Tests that keep generated files up to date: `client-demo/src/wire.ts`, tables in `docs`, `sockeye.toml`, and the list
//! of public items. A test that finds a stale file writes it anew and fails.

mod public_api;

use std::{fs, path::Path};

use ts_rs::{Config, TS};

use crate::{
    chat::RoomSummary,
    config,
    error::Code,
    http::Rooms,
    metrics::metrics_table,
    model::{Message, User},
    protocol::*,
};

/// Writes the file and fails, if its text is not the wanted one.
fn must_be_current(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if fs::read_to_string(&path).unwrap_or_default() != wanted {
        fs::write(&path, wanted).expect("the file can be written");
        panic!("{} was stale and has been written anew: look at it and commit it", path.display());
    }
}

#[test]
fn wire_ts_is_up_to_date() {
    let config = Config::default().with_large_int("number");
    let mut text = String::from("// Written by `cargo test` from src/protocol.rs. Do not edit.\n\n");
    let codes: Vec<String> = Code::ALL.iter().map(|code| format!("\"{code}\"")).collect();
    text += &format!("/** The error codes, for programs. */\nexport type ErrorCode = {};\n\n", codes.join(" | "));
    text += "/** The argument of every acknowledgement. */\nexport type Reply<T> =\n  | { success: true; data: T }\n  | { success: false; error: { code: ErrorCode; message: string } };\n\n";
    text += "/** `send-message`: neither `room` nor `to` means the lobby. The other fields are the body. */\nexport type SendMessage = { room?: string; to?: string; idempotencyKey?: string; [field: string]: unknown };\n\n";
    text += "/** `edit-message`: the other fields replace the body. */\nexport type EditMessage = { id: string; [field: string]: unknown };\n\n";
    macro_rules! types {
        ($($payload:ty),+ $(,)?) => {
            $(text += &declaration::<$payload>(&config);)+
        };
    }
    types!(
        User,
        Message,
        DeleteMessage,
        JoinRoom,
        LeaveRoom,
        LoadMessages,
        SearchMessages,
        ListUsers,
        ListRooms,
        MarkRead,
        SetTyping,
        RefreshToken,
        Head,
        JoinedRoom,
        Page,
        FoundMessages,
        RoomUser,
        UserList,
        Membership,
        RoomList,
        ReadMark,
        TokenExpiry,
        Session,
        MessageSaved,
        MessageEdited,
        MessageDeleted,
        RoomDeleted,
        MessageRead,
        Typing,
        PresenceChanged,
        EventError,
        ServerClosing,
        RoomSummary,
        Rooms,
    );
    text +=
        "/** For `Socket<ServerToClientEvents, ClientToServerEvents>`. */\nexport interface ClientToServerEvents {\n";
    for row in &CLIENT_EVENTS {
        text += &format!(
            "  \"{}\": (payload: {}, reply?: (reply: Reply<{}>) => void) => void;\n",
            row.name, row.payload_type, row.reply_type
        );
    }
    text += "}\n\n/** For `Socket<ServerToClientEvents, ClientToServerEvents>`. */\nexport interface ServerToClientEvents {\n";
    for row in &SERVER_EVENTS {
        text += &format!("  \"{}\": (payload: {}) => void;\n", row.name, row.payload_type);
    }
    text += "}\n";
    must_be_current("client-demo/src/wire.ts", &text);
}

fn declaration<T: TS + 'static>(config: &Config) -> String {
    let docs = T::docs().unwrap_or_default();
    // Ids, rooms and times are strings on the wire, and bodies are records: TypeScript has no types of its own for them.
    let mut declaration = T::decl(config);
    for (name, wire) in [
        ("UserId", "string"),
        ("RoomRef", "string"),
        ("RoomName", "string"),
        ("Timestamp", "string"),
        ("MessageId", "string"),
        ("Body", "Record<string, unknown>"),
    ] {
        declaration = replace_word(&declaration, name, wire);
    }
    format!("{docs}export {declaration}\n\n")
}

fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let alone = !rest[..at].ends_with(is_part) && !rest[at + word.len()..].starts_with(is_part);
        out += &rest[..at];
        out += if alone { by } else { word };
        rest = &rest[at + word.len()..];
    }
    out + rest
}

#[test]
fn the_tables_of_the_events_are_up_to_date() {
    let mut client = String::from("| event | payload | reply `data` | what others receive |\n|---|---|---|---|\n");
    for row in &CLIENT_EVENTS {
        client +=
            &format!("| `{}` | `{}` | {} | {} |\n", row.name, row.payload.replace('|', "\\|"), row.reply, row.note);
    }
    client += "| any relay, e.g. `message` | anything, several arguments, binary | null | the event as configured |\n";
    let mut server = String::from("| event | payload | when |\n|---|---|---|\n");
    for row in &SERVER_EVENTS {
        server += &format!("| `{}` | `{}` | {} |\n", row.name, row.payload, row.note);
    }
    tables_must_be_current("docs/events.md", &[("client-events", &client), ("server-events", &server)]);
}

#[test]
fn the_table_of_the_settings_is_up_to_date() {
    tables_must_be_current("docs/configuration.md", &[("settings", &config::settings_table())]);
}

#[test]
fn the_table_of_the_metrics_is_up_to_date() {
    tables_must_be_current("docs/metrics.md", &[("metrics", &metrics_table())]);
}

/// As [`must_be_current`], for the tables of a page, by their names.
fn tables_must_be_current(path: &str, tables: &[(&str, &str)]) {
    let mut page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path);
    for (name, table) in tables {
        page = between(&page, name, table);
    }
    must_be_current(path, &page);
}

/// Replaces the text between `<!-- name -->` and `<!-- /name -->`.
fn between(text: &str, name: &str, by: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = text.find(&open).unwrap_or_else(|| panic!("{open}")) + open.len();
    let end = text.find(&close).unwrap_or_else(|| panic!("{close}"));
    format!("{}{by}{}", &text[..start], &text[end..])
}

#[test]
fn sockeye_toml_is_up_to_date() {
    must_be_current("sockeye.toml", &config::default_toml());
}
