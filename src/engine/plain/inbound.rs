//! The receiving side of a client of plain WebSocket: processes its texts one after the other, in the reader's task.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

use serde_json::value::RawValue;

use super::{
    close,
    envelope::{self, ClientEnvelope, ConnectError, EnvelopeError, ReplyFields},
    state::{ConnectDecision, PlainState},
};
use crate::{
    engine::{client_socket::ClientSocket, connection::Connection, memory::ReceivedCharge, reason::DisconnectReason},
    error::Error,
    input::described,
};

/// Maximum number of texts that are held while a CONNECT is undecided. Together they may be as long as one message.
const HELD_MAX: usize = 256;

/// The receiving side of one client.
pub(in crate::engine) struct Inbound {
    plain: Arc<PlainState>,
    phase: Phase,
    /// The texts that arrived while a CONNECT was undecided.
    held: VecDeque<String>,
    held_bytes: usize,
    /// The charge for the held texts.
    charge: ReceivedCharge,
}

/// The client's state in the root namespace.
enum Phase {
    /// It has not joined.
    Outside,
    /// Its CONNECT is undecided. The fields are for the reply to its `Register`, if it sent one.
    Entering(Option<ReplyFields>),
    /// It has joined. `is_registered` is true if it joined with a `Register`, and false if it joined as a guest.
    Inside { socket: Arc<dyn ClientSocket>, is_registered: bool },
    /// It has sent `Unregister`: further texts are dropped.
    Leaving,
}

impl Inbound {
    /// The receiving side of a new connection. Joins the root namespace at once if the settings say so.
    pub(in crate::engine) fn new(connection: &Arc<Connection>, plain: &Arc<PlainState>) -> Self {
        let charge = ReceivedCharge::input(&connection.received);
        let (plain, held) = (plain.clone(), VecDeque::new());
        let mut inbound = Self { plain, phase: Phase::Outside, held, held_bytes: 0, charge };
        if connection.shared.settings.plain.open_at_once {
            inbound.enter(connection, None, "");
        }
        inbound
    }

    /// Whether the client's CONNECT was decided, so that [`Self::resume`] must be called.
    pub(in crate::engine) fn is_decided(&self) -> bool {
        self.plain.is_decided()
    }

    /// Processes a text, or holds it while a CONNECT is undecided. Breaks if the connection has ended.
    pub(in crate::engine) fn receive(&mut self, connection: &Arc<Connection>, text: &str) -> ControlFlow<()> {
        match self.phase {
            Phase::Entering(_) => self.hold(connection, text),
            Phase::Leaving => ControlFlow::Continue(()),
            Phase::Outside | Phase::Inside { .. } => self.process(connection, text, None),
        }
    }

    /// Processes the decision on the CONNECT, and the texts that were held until then.
    pub(in crate::engine) fn resume(&mut self, connection: &Arc<Connection>) -> ControlFlow<()> {
        let Some(decision) = self.plain.take_decision() else { return ControlFlow::Continue(()) };
        let Phase::Entering(register) = std::mem::replace(&mut self.phase, Phase::Outside) else {
            return ControlFlow::Continue(());
        };
        let mut connect_error = None;
        match (decision, register) {
            (ConnectDecision::Accepted(socket), register) => {
                let is_registered = register.is_some();
                if let Some(reply_fields) = register {
                    socket.acknowledge_register(self.plain.add_pending_reply(reply_fields));
                }
                self.phase = Phase::Inside { socket, is_registered };
            }
            (ConnectDecision::Refused(ConnectError { error, .. }), Some(reply_fields)) => {
                connection.send(&envelope::reply(Some(&reply_fields), &envelope::failed(&error)));
            }
            (ConnectDecision::Refused(error), None) => connect_error = Some(error),
        }
        while !matches!(self.phase, Phase::Entering(_))
            && let Some(text) = self.held.pop_front()
        {
            self.held_bytes -= text.len();
            self.charge.resize(self.held_bytes);
            self.process(connection, &text, connect_error.as_ref())?;
        }
        ControlFlow::Continue(())
    }

    /// Parses and processes a text. If the text was held for a CONNECT that was then refused, `connect_error` is that
    /// CONNECT's error.
    fn process(
        &mut self,
        connection: &Arc<Connection>,
        text: &str,
        connect_error: Option<&ConnectError>,
    ) -> ControlFlow<()> {
        let parsed = match ClientEnvelope::parse(text) {
            Ok(parsed) => parsed,
            Err(EnvelopeError::NotAnEnvelope) if self.plain.has_envelopes() => {
                connection.pay();
                let sentence = "this is no envelope, which is a JSON object whose eventType is ClientEvent or Reply";
                return fail(connection, None, &Error::BadPayload(sentence.to_owned()));
            }
            Err(EnvelopeError::NotAnEnvelope) => return self.bare_text(connection, text, connect_error),
            Err(EnvelopeError::InvalidField(reply_fields, sentence)) => {
                connection.pay();
                self.plain.envelope_arrived();
                return fail(connection, Some(&reply_fields), &Error::BadPayload(sentence));
            }
        };
        self.plain.envelope_arrived();
        if !matches!(parsed, ClientEnvelope::Event { .. } | ClientEnvelope::Reply { .. }) {
            connection.pay();
        }
        match parsed {
            ClientEnvelope::Heartbeat(reply_fields) => {
                connection.send(&envelope::reply(Some(&reply_fields), &envelope::done("null")));
                ControlFlow::Continue(())
            }
            ClientEnvelope::Register(reply_fields, credentials) => self.register(connection, reply_fields, credentials),
            ClientEnvelope::Unregister(reply_fields) => self.unregister(connection, &reply_fields),
            ClientEnvelope::Event { name, reply_fields, data } => match (&self.phase, connect_error) {
                (Phase::Inside { socket, .. }, _) => {
                    let name = match envelope::kebab(&name) {
                        Some(kebab) if !socket.has_event(&name) => kebab.into(),
                        _ => name,
                    };
                    event(connection, &self.plain, &**socket, &name, reply_fields, data)
                }
                (_, Some(ConnectError { error, .. })) => {
                    connection.send(&envelope::reply(Some(&reply_fields), &envelope::failed(error)));
                    ControlFlow::Continue(())
                }
                (_, None) => self.enter_with(connection, text),
            },
            ClientEnvelope::Reply { id, data } => {
                if let Phase::Inside { socket, .. } = &self.phase {
                    let answer = data.map_or_else(|| "[]".to_owned(), |data| format!("[{data}]"));
                    // It cannot fail: `answer` is a JSON array.
                    let is_awaited = socket.ack_received(Some(id), &answer, Vec::new()).unwrap_or_default();
                    if !is_awaited {
                        connection.pay();
                    }
                }
                ControlFlow::Continue(())
            }
        }
    }

    /// Processes a text that is not an envelope: an event with the name from the settings.
    fn bare_text(
        &mut self,
        connection: &Arc<Connection>,
        text: &str,
        connect_error: Option<&ConnectError>,
    ) -> ControlFlow<()> {
        match (&self.phase, connect_error) {
            (Phase::Inside { socket, .. }, _) => {
                let json = serde_json::to_string(&(&connection.shared.settings.plain.text_event, text));
                let json = json.expect("every string can be encoded as JSON");
                match socket.receive(connection.incoming_event(&json, Vec::new(), None)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(reason) => connection.break_for_mistake(reason, "a text that is not a valid event"),
                }
            }
            (_, Some(ConnectError { code, .. })) => {
                connection.end_with(DisconnectReason::ForcedServerClose, None, close::connect_error(code));
                ControlFlow::Break(())
            }
            (_, None) => self.enter_with(connection, text),
        }
    }

    /// Starts a CONNECT to the root namespace on behalf of the client.
    fn enter(&mut self, connection: &Arc<Connection>, register: Option<ReplyFields>, credentials: &str) {
        self.phase = Phase::Entering(register);
        connection.connect("/", credentials);
    }

    /// Starts a CONNECT without credentials, and holds the text until the CONNECT is decided.
    fn enter_with(&mut self, connection: &Arc<Connection>, text: &str) -> ControlFlow<()> {
        self.enter(connection, None, "");
        self.hold(connection, text)
    }

    /// Holds a text while a CONNECT is undecided.
    fn hold(&mut self, connection: &Arc<Connection>, text: &str) -> ControlFlow<()> {
        let bytes = self.held_bytes + text.len();
        if self.held.len() >= HELD_MAX || bytes > connection.shared.settings.max_payload.get() {
            connection.note_mistake(DisconnectReason::ForcedServerClose, "too many frames while CONNECT is undecided");
            connection.end_with(DisconnectReason::ForcedServerClose, None, close::connect_error("too-early"));
            return ControlFlow::Break(());
        }
        self.held_bytes = bytes;
        self.charge.resize(bytes);
        self.held.push_back(text.to_owned());
        ControlFlow::Continue(())
    }

    /// Processes `Register`. A client that is in the namespace as a guest leaves it and joins again, after its earlier
    /// events are answered.
    fn register(
        &mut self,
        connection: &Arc<Connection>,
        reply_fields: ReplyFields,
        credentials: Option<&RawValue>,
    ) -> ControlFlow<()> {
        let credentials = match credentials.map_or("null", RawValue::get) {
            "null" => "",
            object if object.starts_with('{') => object,
            other => {
                let sentence = format!("requestData must be an object, not {}", described(other));
                return fail(connection, Some(&reply_fields), &Error::BadPayload(sentence));
            }
        };
        match &self.phase {
            Phase::Inside { is_registered: true, .. } => {
                return fail(connection, Some(&reply_fields), &Error::Conflict("you are registered".to_owned()));
            }
            Phase::Inside { socket, .. } => {
                let (socket, connection, credentials) = (socket.clone(), connection.clone(), credentials.to_owned());
                self.phase = Phase::Entering(Some(reply_fields));
                socket.clone().run_in_queue(Box::new(move || {
                    socket.end(DisconnectReason::ClientNamespaceDisconnect);
                    connection.connect("/", &credentials);
                }));
            }
            _ => self.enter(connection, Some(reply_fields), credentials),
        }
        ControlFlow::Continue(())
    }

    /// Processes `Unregister`. Its reply is sent after the replies to earlier events, as the last frame before the
    /// close frame.
    fn unregister(&mut self, connection: &Arc<Connection>, reply_fields: &ReplyFields) -> ControlFlow<()> {
        let answer = envelope::reply(Some(reply_fields), &envelope::done("null"));
        let phase = std::mem::replace(&mut self.phase, Phase::Leaving);
        let leave = {
            let connection = connection.clone();
            let reason = DisconnectReason::ClientNamespaceDisconnect;
            move || connection.end_with(reason, Some(&answer), close::for_reason(reason))
        };
        match phase {
            Phase::Inside { socket, .. } => socket.run_in_queue(Box::new(leave)),
            _ => leave(),
        }
        self.held.clear();
        self.charge.resize(0);
        ControlFlow::Continue(())
    }
}

/// Passes an event to the socket.
fn event(
    connection: &Arc<Connection>,
    plain: &PlainState,
    socket: &dyn ClientSocket,
    name: &str,
    reply_fields: ReplyFields,
    data: Option<&RawValue>,
) -> ControlFlow<()> {
    let name_text = serde_json::to_string(name).expect("every string can be encoded as JSON");
    let json = match data {
        Some(data) => format!("[{name_text},{data}]"),
        None => format!("[{name_text}]"),
    };
    let id = plain.add_pending_reply(reply_fields);
    if socket.receive(connection.incoming_event(&json, Vec::new(), Some(id))).is_err() {
        connection.pay();
        let reply_fields = plain.take_pending_reply(id);
        return fail(connection, reply_fields.as_ref(), &Error::UnknownEvent(name.to_owned()));
    }
    ControlFlow::Continue(())
}

/// Replies with an error.
fn fail(connection: &Arc<Connection>, reply_fields: Option<&ReplyFields>, error: &Error) -> ControlFlow<()> {
    connection.send(&envelope::reply(reply_fields, &envelope::failed(&envelope::error(error))));
    ControlFlow::Continue(())
}
