//! One connection, from the TCP handshake to the close, with a minimum of memory and no thread.

use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use mio::{event::Event, net::TcpStream};

use super::{
    envelope, frame, http,
    packet::{self, Packet},
};

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Socket.IO over WebSocket.
    SocketIo,
    /// Envelopes over WebSocket.
    Envelopes,
    /// HTTP requests of a backend. Request bodies are queued, and sent without waiting for responses.
    Http,
}

impl Protocol {
    /// The path of its WebSocket; `None` for HTTP.
    fn websocket(self) -> Option<&'static str> {
        match self {
            // The default path of the browser client.
            Protocol::SocketIo => Some("/socket.io/?EIO=4&transport=websocket&recovery=true"),
            Protocol::Envelopes => Some("/ws"),
            Protocol::Http => None,
        }
    }
}

/// What a connection reports to the scenario.
pub enum Incoming<'a> {
    /// The connection is ready: CONNECT was answered, or `Register`. An HTTP connection is ready from the start.
    Connected,
    /// An event: its name and its other arguments.
    Event { name: &'a [u8], args: &'a [u8] },
    /// The acknowledgement of an event; responses to requests are numbered from 1.
    Ack { id: u64, args: &'a [u8] },
    /// The acknowledgement of an event, with an attachment.
    BinaryAck { id: u64, args: &'a [u8], attachment: &'a [u8] },
    /// The server has closed the connection after [`Conn::close`].
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    TcpOpening,
    Upgrading,
    Connecting,
    Connected,
    Closing,
    Closed,
}

/// One connection.
pub struct Conn {
    /// Its index in the swarm.
    pub index: usize,
    /// When the TCP connection was started.
    pub opened_at: Instant,
    pub(super) stream: TcpStream,
    protocol: Protocol,
    phase: Phase,
    peer: SocketAddr,
    partial: Vec<u8>,
    /// An acknowledgement whose attachment has not arrived: its id and its arguments.
    awaiting: Option<(u64, Vec<u8>)>,
    out: Vec<u8>,
    mask: u32,
    /// The number of responses so far.
    answered: u64,
}

impl Conn {
    pub(super) fn open(index: usize, peer: SocketAddr, protocol: Protocol) -> Result<Conn> {
        let stream = TcpStream::connect(peer).context("cannot open a TCP connection")?;
        let mask = (index as u32).wrapping_mul(2_654_435_761) | 1;
        Ok(Conn {
            index,
            opened_at: Instant::now(),
            stream,
            protocol,
            phase: Phase::TcpOpening,
            peer,
            partial: Vec::new(),
            awaiting: None,
            out: Vec::new(),
            mask,
            answered: 0,
        })
    }

    /// Queues a packet. It is sent with all others of this turn, or by [`Conn::flush`].
    pub fn send(&mut self, text: &[u8]) {
        match self.protocol {
            Protocol::SocketIo | Protocol::Envelopes => self.write(frame::TEXT, text),
            Protocol::Http => http::write_request(&mut self.out, self.peer, text),
        }
    }

    /// Queues the attachment of the packet before it.
    pub fn send_attachment(&mut self, attachment: &[u8]) {
        self.write(frame::BINARY, attachment);
    }

    /// Closes a WebSocket as the official clients do: DISCONNECT, if there is one, and a close frame; then the server
    /// closes TCP.
    pub fn close(&mut self) {
        if self.protocol == Protocol::SocketIo {
            self.send(b"41");
        }
        self.write(frame::CLOSE, &1000u16.to_be_bytes());
        self.phase = Phase::Closing;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Writes queued data as far as the kernel accepts it; the rest is written on the next readiness.
    pub fn flush(&mut self) -> Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server has already closed; the next read reports it.
                Err(_) if self.phase == Phase::Closing => self.out.clear(),
                Err(error) => return Err(error).with_context(|| format!("socket {} cannot write", self.index)),
            }
        }
        Ok(())
    }

    /// Reads and writes according to the readiness. `buffer` is shared by all connections.
    pub(super) fn ready(
        &mut self,
        event: &Event,
        buffer: &mut [u8],
        hear: &mut impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>,
    ) -> Result<()> {
        if self.phase == Phase::TcpOpening && event.is_writable() {
            if let Some(error) = self.stream.take_error()? {
                return Err(error).context("cannot open a TCP connection");
            }
            self.stream.set_nodelay(true)?;
            self.phase = match self.protocol.websocket() {
                Some(target) => {
                    self.out = frame::upgrade_request(target, self.peer).into_bytes();
                    Phase::Upgrading
                }
                None => Phase::Connected,
            };
        }
        if event.is_readable() || event.is_read_closed() {
            self.read_all(event.is_read_closed(), buffer, hear)?;
        }
        if self.is_closed() { Ok(()) } else { self.flush() }
    }

    fn read_all(
        &mut self,
        to_the_end: bool,
        buffer: &mut [u8],
        hear: &mut impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>,
    ) -> Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return self.closed(hear),
                Ok(len) => {
                    self.take(&buffer[..len], hear)?;
                    // A short read has emptied a stream socket (epoll(7)), unless the end of the stream is behind the
                    // data.
                    if len < buffer.len() && !to_the_end {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if self.phase == Phase::Closing => return self.closed(hear),
                Err(error) => return Err(error).with_context(|| format!("socket {} cannot read", self.index)),
            }
        }
    }

    fn closed(&mut self, hear: &mut impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>) -> Result<()> {
        if self.phase != Phase::Closing {
            bail!("the server closed socket {} while it was {:?}", self.index, self.phase);
        }
        self.phase = Phase::Closed;
        hear(self, Incoming::Closed, Instant::now())
    }

    fn take(
        &mut self,
        bytes: &[u8],
        hear: &mut impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>,
    ) -> Result<()> {
        if self.partial.is_empty() {
            let used = self.parse(bytes, hear)?;
            self.partial.extend_from_slice(&bytes[used..]);
        } else {
            let mut held = std::mem::take(&mut self.partial);
            held.extend_from_slice(bytes);
            let used = self.parse(&held, hear)?;
            held.drain(..used);
            self.partial = held;
        }
        Ok(())
    }

    fn parse(
        &mut self,
        bytes: &[u8],
        hear: &mut impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>,
    ) -> Result<usize> {
        if self.protocol == Protocol::Http {
            return self.answers(bytes, hear);
        }
        let mut used = 0;
        if self.phase == Phase::Upgrading {
            let Some(len) = frame::upgrade_response(bytes)? else { return Ok(0) };
            used = len;
            self.phase = Phase::Connecting;
            if self.protocol == Protocol::Envelopes {
                self.send(envelope::REGISTER);
            }
        }
        let now = Instant::now();
        while let Some(frame) = frame::read(&bytes[used..])? {
            used += frame.len;
            match frame.opcode {
                frame::TEXT => self.packet(frame.payload, now, hear)?,
                frame::BINARY => self.attachment(frame.payload, now, hear)?,
                frame::PING => self.write(frame::PONG, frame.payload),
                frame::CLOSE if self.phase == Phase::Closing => {}
                frame::CLOSE => bail!("the server closed socket {}: {:?}", self.index, frame.payload),
                opcode => bail!("unexpected frame of kind {opcode:x} on socket {}", self.index),
            }
        }
        Ok(used)
    }

    fn answers(
        &mut self,
        bytes: &[u8],
        hear: &mut impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>,
    ) -> Result<usize> {
        let (mut used, now) = (0, Instant::now());
        while let Some(response) = http::read(&bytes[used..])? {
            used += response.len;
            self.answered += 1;
            hear(self, Incoming::Ack { id: self.answered, args: response.body }, now)?;
        }
        Ok(used)
    }

    fn packet(
        &mut self,
        text: &[u8],
        now: Instant,
        hear: &mut impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>,
    ) -> Result<()> {
        let in_envelopes = self.protocol == Protocol::Envelopes;
        let packet = if in_envelopes { envelope::read(text)? } else { packet::read(text)? };
        match (packet, self.phase) {
            (_, Phase::Closing) => Ok(()),
            (Packet::Ping, _) => {
                self.send(b"3");
                Ok(())
            }
            (Packet::Open, Phase::Connecting) => {
                self.send(b"40");
                Ok(())
            }
            (Packet::Connect, Phase::Connecting) => {
                self.phase = Phase::Connected;
                hear(self, Incoming::Connected, now)
            }
            (packet, _) if self.awaiting.is_some() => {
                bail!("socket {} got {packet:?} in place of an attachment", self.index)
            }
            // The answer to `Register` comes after the events of the connection handler, but CONNECT comes before
            // them.
            (Packet::Event { name, args }, phase)
                if phase == Phase::Connected || (in_envelopes && phase == Phase::Connecting) =>
            {
                hear(self, Incoming::Event { name, args }, now)
            }
            (Packet::Ack { id, args }, Phase::Connected) => hear(self, Incoming::Ack { id, args }, now),
            (Packet::BinaryAck { id, args }, Phase::Connected) => {
                self.awaiting = Some((id, args.to_vec()));
                Ok(())
            }
            (packet, phase) => bail!("socket {} got {packet:?} while it was {phase:?}", self.index),
        }
    }

    fn attachment(
        &mut self,
        attachment: &[u8],
        now: Instant,
        hear: &mut impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>,
    ) -> Result<()> {
        let Some((id, args)) = self.awaiting.take() else {
            bail!("socket {} got an attachment of no packet", self.index);
        };
        hear(self, Incoming::BinaryAck { id, args: &args, attachment }, now)
    }

    fn write(&mut self, opcode: u8, payload: &[u8]) {
        // xorshift32: the mask must not be 0, for which a server could take a shortcut; better randomness is not
        // needed.
        self.mask ^= self.mask << 13;
        self.mask ^= self.mask >> 17;
        self.mask ^= self.mask << 5;
        frame::write(&mut self.out, opcode, payload, self.mask.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// An acknowledgement: its id, its arguments and its attachment.
    type Acknowledged = (u64, Vec<u8>, Option<Vec<u8>>);

    /// The acknowledgements that a connected client hears in these frames.
    fn heard(frames: &[(u8, &[u8])]) -> Result<Vec<Acknowledged>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut conn = Conn::open(0, listener.local_addr().unwrap(), Protocol::SocketIo).unwrap();
        conn.phase = Phase::Connected;
        let mut bytes = Vec::new();
        frames.iter().for_each(|(opcode, payload)| frame::write_bare(&mut bytes, *opcode, &[payload]));
        let mut heard = Vec::new();
        conn.take(&bytes, &mut |_, incoming, _| {
            heard.push(match incoming {
                Incoming::Ack { id, args } => (id, args.to_vec(), None),
                Incoming::BinaryAck { id, args, attachment } => (id, args.to_vec(), Some(attachment.to_vec())),
                _ => bail!("no acknowledgement"),
            });
            Ok(())
        })?;
        Ok(heard)
    }

    #[test]
    fn an_acknowledgement_is_heard_with_its_attachment() {
        let frames: [(u8, &[u8]); 4] =
            [(frame::TEXT, b"461-7[{}]"), (frame::TEXT, b"2"), (frame::BINARY, b"ab"), (frame::TEXT, b"438[]")];
        let expected = [(7, b"[{}]".to_vec(), Some(b"ab".to_vec())), (8, b"[]".to_vec(), None)];
        assert_eq!(heard(&frames).unwrap(), expected);
    }

    #[test]
    fn an_attachment_without_its_packet_and_a_packet_without_its_attachment_are_errors() {
        assert!(heard(&[(frame::BINARY, b"ab")]).is_err());
        assert!(heard(&[(frame::TEXT, b"461-7[{}]"), (frame::TEXT, b"438[]")]).is_err());
        assert!(heard(&[(frame::TEXT, b"437[]"), (frame::BINARY, b"ab")]).is_err());
    }
}
