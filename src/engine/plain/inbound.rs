//! The receiving side of a client of plain WebSocket: its texts, one after the other, in the task of its reader.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

use serde_json::value::RawValue;

use super::{
    close,
    envelope::{self, Asked, Refusal, Said, Unsaid},
    state::{Plain, Verdict},
};
use crate::{
    engine::{client_socket::ClientSocket, connection::Connection, memory::ReceivedCharge, reason::DisconnectReason},
    error::Error,
    input::described,
};

/// The most texts that are held while a CONNECT is undecided. Together they may have as many bytes as one message.
const HELD_MAX: usize = 256;

/// The receiving side of one client.
pub(in crate::engine) struct Inbound {
    plain: Arc<Plain>,
    phase: Phase,
    /// The texts that arrived while a CONNECT was undecided.
    held: VecDeque<String>,
    held_bytes: usize,
    /// The charge for the held texts.
    charge: ReceivedCharge,
}

/// How far the client has come.
enum Phase {
    /// It is in no namespace.
    Outside,
    /// Its CONNECT is undecided. The envelope is the `Register` that is to be answered, if it sent one.
    Entering(Option<Asked>),
    /// It is in the root namespace.
    Inside { socket: Arc<dyn ClientSocket>, is_registered: bool },
    /// It has sent `Unregister`: further texts are dropped.
    Leaving,
}

impl Inbound {
    /// Creates it for a new connection; where the settings say so, CONNECT is asked for at once.
    pub(in crate::engine) fn new(connection: &Arc<Connection>, plain: &Arc<Plain>) -> Self {
        let charge = ReceivedCharge::input(&connection.received);
        let (plain, held) = (plain.clone(), VecDeque::new());
        let mut inbound = Self { plain, phase: Phase::Outside, held, held_bytes: 0, charge };
        if connection.shared.settings.plain.open_at_once {
            inbound.enter(connection, None, "");
        }
        inbound
    }

    /// Whether the client's CONNECT is decided, so that [`Self::go_on`] has something to do.
    pub(in crate::engine) fn is_decided(&self) -> bool {
        self.plain.is_decided()
    }

    /// Takes a text in. Breaks if the connection has ended.
    pub(in crate::engine) fn take(&mut self, connection: &Arc<Connection>, text: &str) -> ControlFlow<()> {
        match self.phase {
            Phase::Entering(_) => self.hold(connection, text),
            Phase::Leaving => ControlFlow::Continue(()),
            Phase::Outside | Phase::Inside { .. } => self.understand(connection, text, None),
        }
    }

    /// Takes in the verdict about the CONNECT, and the texts that were held until then.
    pub(in crate::engine) fn go_on(&mut self, connection: &Arc<Connection>) -> ControlFlow<()> {
        let Some(verdict) = self.plain.take_verdict() else { return ControlFlow::Continue(()) };
        let Phase::Entering(register) = std::mem::replace(&mut self.phase, Phase::Outside) else {
            return ControlFlow::Continue(());
        };
        let mut refusal = None;
        match (verdict, register) {
            (Verdict::Yes(socket), register) => {
                let is_registered = register.is_some();
                if let Some(asked) = register {
                    socket.welcome(self.plain.ask(asked));
                }
                self.phase = Phase::Inside { socket, is_registered };
            }
            (Verdict::No(Refusal { error, .. }), Some(asked)) => {
                connection.send(&envelope::reply(Some(&asked), &envelope::failed(&error)));
            }
            (Verdict::No(reason), None) => refusal = Some(reason),
        }
        while !matches!(self.phase, Phase::Entering(_))
            && let Some(text) = self.held.pop_front()
        {
            self.held_bytes -= text.len();
            self.charge.resize(self.held_bytes);
            self.understand(connection, &text, refusal.as_ref())?;
        }
        ControlFlow::Continue(())
    }

    /// Parses a text and does what it says. `refusal` is why the CONNECT for which the text was held has been refused.
    fn understand(&mut self, connection: &Arc<Connection>, text: &str, refusal: Option<&Refusal>) -> ControlFlow<()> {
        let said = match Said::parse(text) {
            Ok(said) => said,
            Err(Unsaid::NoEnvelope) if self.plain.has_envelopes() => {
                connection.pay();
                let sentence = "this is no envelope, which is a JSON object whose eventType is ClientEvent or Reply";
                return fail(connection, None, &Error::BadPayload(sentence.to_owned()));
            }
            Err(Unsaid::NoEnvelope) => return self.bare_text(connection, text, refusal),
            Err(Unsaid::Wrong(asked, sentence)) => {
                connection.pay();
                self.plain.envelope_arrived();
                return fail(connection, Some(&asked), &Error::BadPayload(sentence));
            }
        };
        self.plain.envelope_arrived();
        if !matches!(said, Said::Event { .. } | Said::Reply { .. }) {
            connection.pay();
        }
        match said {
            Said::Heartbeat(asked) => {
                connection.send(&envelope::reply(Some(&asked), &envelope::done("null")));
                ControlFlow::Continue(())
            }
            Said::Register(asked, credentials) => self.register(connection, asked, credentials),
            Said::Unregister(asked) => self.unregister(connection, &asked),
            Said::Event { name, asked, data } => match (&self.phase, refusal) {
                (Phase::Inside { socket, .. }, _) => {
                    let name = match envelope::kebab(&name) {
                        Some(kebab) if !socket.knows(&name) => kebab.into(),
                        _ => name,
                    };
                    event(connection, &self.plain, &**socket, &name, asked, data)
                }
                (_, Some(Refusal { error, .. })) => {
                    connection.send(&envelope::reply(Some(&asked), &envelope::failed(error)));
                    ControlFlow::Continue(())
                }
                (_, None) => self.enter_with(connection, text),
            },
            Said::Reply { id, data } => {
                if let Phase::Inside { socket, .. } = &self.phase {
                    let answer = data.map_or_else(|| "[]".to_owned(), |data| format!("[{data}]"));
                    // It cannot fail: `answer` is a JSON array.
                    let was_asked = socket.acknowledged(Some(id), &answer, Vec::new()).unwrap_or_default();
                    if !was_asked {
                        connection.pay();
                    }
                }
                ControlFlow::Continue(())
            }
        }
    }

    /// Takes in a text that is no envelope: an event of the name in the settings.
    fn bare_text(&mut self, connection: &Arc<Connection>, text: &str, refusal: Option<&Refusal>) -> ControlFlow<()> {
        match (&self.phase, refusal) {
            (Phase::Inside { socket, .. }, _) => {
                let json = serde_json::to_string(&(&connection.shared.settings.plain.text_event, text));
                let json = json.expect("text is JSON");
                match socket.receive(connection.arrival(&json, Vec::new(), None)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(reason) => connection.refuse(reason, "a text that is no event"),
                }
            }
            (_, Some(Refusal { code, .. })) => {
                connection.end_with(DisconnectReason::ForcedServerClose, None, close::refusal(code));
                ControlFlow::Break(())
            }
            (_, None) => self.enter_with(connection, text),
        }
    }

    /// Asks for CONNECT.
    fn enter(&mut self, connection: &Arc<Connection>, register: Option<Asked>, credentials: &str) {
        self.phase = Phase::Entering(register);
        connection.connect("/", credentials);
    }

    /// Asks for CONNECT without credentials, and holds the text until that is decided.
    fn enter_with(&mut self, connection: &Arc<Connection>, text: &str) -> ControlFlow<()> {
        self.enter(connection, None, "");
        self.hold(connection, text)
    }

    /// Holds a text while a CONNECT is undecided.
    fn hold(&mut self, connection: &Arc<Connection>, text: &str) -> ControlFlow<()> {
        let bytes = self.held_bytes + text.len();
        if self.held.len() >= HELD_MAX || bytes > connection.shared.settings.max_payload.get() {
            connection
                .note_mistake(DisconnectReason::ForcedServerClose, "more frames than may wait until it is let in");
            connection.end_with(DisconnectReason::ForcedServerClose, None, close::refusal("too-early"));
            return ControlFlow::Break(());
        }
        self.held_bytes = bytes;
        self.charge.resize(bytes);
        self.held.push_back(text.to_owned());
        ControlFlow::Continue(())
    }

    /// `Register`. A client that is in the namespace as a guest leaves it and joins anew, when its events before this
    /// one are answered.
    fn register(
        &mut self,
        connection: &Arc<Connection>,
        asked: Asked,
        credentials: Option<&RawValue>,
    ) -> ControlFlow<()> {
        let credentials = match credentials.map_or("null", RawValue::get) {
            "null" => "",
            object if object.starts_with('{') => object,
            other => {
                let sentence = format!("requestData must be an object, not {}", described(other));
                return fail(connection, Some(&asked), &Error::BadPayload(sentence));
            }
        };
        match &self.phase {
            Phase::Inside { is_registered: true, .. } => {
                return fail(connection, Some(&asked), &Error::Conflict("you are registered".to_owned()));
            }
            Phase::Inside { socket, .. } => {
                let (socket, connection, credentials) = (socket.clone(), connection.clone(), credentials.to_owned());
                self.phase = Phase::Entering(Some(asked));
                socket.clone().in_turn(Box::new(move || {
                    socket.finish(DisconnectReason::ClientNamespaceDisconnect);
                    connection.connect("/", &credentials);
                }));
            }
            _ => self.enter(connection, Some(asked), credentials),
        }
        ControlFlow::Continue(())
    }

    /// `Unregister`. Its reply is the last frame, after the replies to the events before it.
    fn unregister(&mut self, connection: &Arc<Connection>, asked: &Asked) -> ControlFlow<()> {
        let answer = envelope::reply(Some(asked), &envelope::done("null"));
        let phase = std::mem::replace(&mut self.phase, Phase::Leaving);
        let leave = {
            let connection = connection.clone();
            let reason = DisconnectReason::ClientNamespaceDisconnect;
            move || connection.end_with(reason, Some(&answer), close::goodbye(reason))
        };
        match phase {
            Phase::Inside { socket, .. } => socket.in_turn(Box::new(leave)),
            _ => leave(),
        }
        self.held.clear();
        self.charge.resize(0);
        ControlFlow::Continue(())
    }
}

/// Hands an event to the socket.
fn event(
    connection: &Arc<Connection>,
    plain: &Plain,
    socket: &dyn ClientSocket,
    name: &str,
    asked: Asked,
    data: Option<&RawValue>,
) -> ControlFlow<()> {
    let name_text = serde_json::to_string(name).expect("text is JSON");
    let json = match data {
        Some(data) => format!("[{name_text},{data}]"),
        None => format!("[{name_text}]"),
    };
    let id = plain.ask(asked);
    if socket.receive(connection.arrival(&json, Vec::new(), Some(id))).is_err() {
        connection.pay();
        let asked = plain.take_asked(id);
        return fail(connection, asked.as_ref(), &Error::UnknownEvent(name.to_owned()));
    }
    ControlFlow::Continue(())
}

/// Replies with an error.
fn fail(connection: &Arc<Connection>, asked: Option<&Asked>, error: &Error) -> ControlFlow<()> {
    connection.send(&envelope::reply(asked, &envelope::failed(&envelope::error(error))));
    ControlFlow::Continue(())
}
