//! The floor: the smallest server that passes the checks, which shows the cost of the kernel alone. One epoll loop
//! with the events of the bench; no other handshake, limits, pings or timeouts.

mod peer;
mod words;

use std::{collections::HashMap, io::ErrorKind, net::SocketAddr, time::Duration};

use anyhow::Result;
use clap::Args;
use mio::{Events, Interest, Poll, Token, net::TcpListener};

use self::peer::{Asked, Peer, quoted};
use crate::{client::frame, dialect::Dialect};

const LISTENER: Token = Token(usize::MAX);

/// The smallest server that passes the checks.
#[derive(Args)]
pub struct Floor {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The events it speaks. With `sockeye`, what it sends is as long as what the binary sends.
    #[arg(long, value_enum, default_value_t = Dialect::Peer)]
    dialect: Dialect,
}

impl Floor {
    /// Serves until the process is killed.
    pub fn serve(&self) -> Result<()> {
        let mut listener = TcpListener::bind(self.listen)?;
        println!("listening on http://{}", listener.local_addr()?);
        let mut poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (mut events, mut hall) = (Events::with_capacity(1024), Hall::of(self.dialect));
        let (mut buffer, mut asked) = (vec![0; 64 * 1024], Vec::new());
        loop {
            poll.poll(&mut events, None::<Duration>)?;
            for event in &events {
                if event.token() == LISTENER {
                    hall.accept(&listener, &poll)?;
                    continue;
                }
                let index = event.token().0;
                let Some(peer) = &mut hall.peers[index] else { continue };
                let open = peer.read(&mut buffer, &mut asked);
                for one in asked.drain(..) {
                    hall.answer(index, one);
                }
                hall.touch(index);
                if !open {
                    hall.leave(index);
                }
            }
            hall.flush();
        }
    }
}

/// All connections and the rooms' members.
struct Hall {
    dialect: Dialect,
    /// The number of messages so far.
    count: u64,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    rooms: HashMap<Vec<u8>, Vec<usize>>,
    /// Connections with data to write at the end of the turn.
    touched: Vec<usize>,
}

impl Hall {
    fn of(dialect: Dialect) -> Hall {
        Hall { dialect, count: 0, peers: Vec::new(), free: Vec::new(), rooms: HashMap::new(), touched: Vec::new() }
    }

    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or_else(|| {
                self.peers.push(None);
                self.peers.len() - 1
            });
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            self.peers[index] = Some(Peer::new(stream));
        }
    }

    fn answer(&mut self, index: usize, asked: Asked) {
        match asked {
            Asked::Join { id, room } => {
                self.rooms.entry(room).or_default().push(index);
                self.say(index, &[b"43", &id, br#"[{"success":true}]"#]);
            }
            Asked::Send { id, payload } => {
                self.count += 1;
                let (event, answer) = words::saved(self.dialect, &payload, self.count);
                let members = self.rooms.get(quoted(&payload, br#""room":"#)).map_or(&[][..], |room| room);
                for &member in members {
                    if let Some(peer) = &mut self.peers[member] {
                        peer.out.extend_from_slice(&event);
                        if !std::mem::replace(&mut peer.touched, true) {
                            self.touched.push(member);
                        }
                    }
                }
                self.say(index, &[b"43", &id, &answer]);
            }
            Asked::Echo { id, payload } => self.say(index, &[b"43", &id, b"[", &payload, b"]"]),
        }
    }

    fn say(&mut self, index: usize, parts: &[&[u8]]) {
        if let Some(peer) = &mut self.peers[index] {
            frame::write_bare(&mut peer.out, frame::TEXT, parts);
        }
    }

    fn touch(&mut self, index: usize) {
        if let Some(peer) = &mut self.peers[index]
            && !std::mem::replace(&mut peer.touched, true)
        {
            self.touched.push(index);
        }
    }

    /// One write per connection, with all data of the turn.
    fn flush(&mut self) {
        for index in self.touched.drain(..) {
            if let Some(peer) = &mut self.peers[index] {
                peer.touched = false;
                peer.flush();
            }
        }
    }

    fn leave(&mut self, index: usize) {
        if let Some(mut peer) = self.peers[index].take() {
            peer.flush();
            for room in peer.rooms {
                if let Some(members) = self.rooms.get_mut(&room) {
                    members.retain(|&member| member != index);
                }
            }
            self.free.push(index);
        }
    }
}
