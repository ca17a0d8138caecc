//! Many connections on one thread with one epoll.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};

use super::{Conn, Incoming, Protocol};

/// How long the generator sleeps between two polls. It never blocks in epoll: otherwise every write of the server
/// would wake it on another core, which costs the server more than the write itself.
const NAP: Duration = Duration::from_micros(50);
/// Most connections processed in one turn.
const EVENTS: usize = 1024;

/// Many connections to one server.
pub struct Swarm {
    poll: Poll,
    events: Events,
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    /// The last turn did not process all ready connections.
    busy: bool,
    peer: SocketAddr,
}

impl Swarm {
    /// Creates an empty swarm.
    pub fn new(peer: SocketAddr) -> Result<Swarm> {
        Ok(Swarm {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            conns: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; 64 * 1024],
            busy: false,
            peer,
        })
    }

    /// Opens a connection; [`Incoming::Connected`] reports that it is ready. Indexes of closed ones are reused.
    pub fn open(&mut self, protocol: Protocol) -> Result<()> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.conns.push(None);
            self.conns.len() - 1
        });
        let mut conn = Conn::open(index, self.peer, protocol)?;
        self.poll.registry().register(&mut conn.stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        self.conns[index] = Some(conn);
        Ok(())
    }

    /// The number of open connections.
    pub fn len(&self) -> usize {
        self.conns.len() - self.free.len()
    }

    /// The open connections.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conn> {
        self.conns.iter_mut().flatten()
    }

    /// One connection.
    pub fn conn(&mut self, index: usize) -> Result<&mut Conn> {
        self.conns[index].as_mut().context("no such socket")
    }

    /// Writes data that connections have queued outside of a turn.
    pub fn flush(&mut self) -> Result<()> {
        self.iter_mut().try_for_each(Conn::flush)
    }

    /// Polls once and passes what has arrived to `hear`. Data that `hear` queues on its connection is sent in one
    /// write.
    pub fn turn(&mut self, mut hear: impl FnMut(&mut Conn, Incoming<'_>, Instant) -> Result<()>) -> Result<()> {
        if !self.busy {
            thread::sleep(NAP);
        }
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            let place = &mut self.conns[event.token().0];
            let Some(conn) = place else { continue };
            conn.ready(event, &mut self.buffer, &mut hear)?;
            if conn.is_closed() {
                *place = None;
                self.free.push(event.token().0);
            }
        }
        self.busy = self.events.iter().count() == EVENTS;
        Ok(())
    }
}
