//! When the next message of a room at a fixed rate is due, with cold CPU caches if wanted.

use std::{
    sync::mpsc::{self, Receiver, Sender, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::process;

/// Bytes of a cache line.
const LINE: usize = 64;

/// When the next message is due.
pub struct Pace {
    interval: Duration,
    next: Instant,
    evictor: Option<Evictor>,
}

impl Pace {
    pub fn new(interval: Duration, evictor: Option<Evictor>) -> Pace {
        Pace { interval, next: Instant::now() + interval, evictor }
    }

    /// Whether a message is due now; call it with none in flight. If so, schedules the next one after an interval.
    pub fn is_due(&mut self, now: Instant) -> Result<bool> {
        let is_evicted = self.evictor.as_mut().map_or(Ok(true), Evictor::is_done)?;
        if now < self.next || !is_evicted {
            return Ok(false);
        }
        if let Some(evictor) = &mut self.evictor {
            evictor.is_asked = false;
        }
        // A late message does not increase the rate of the later ones.
        self.next = (self.next + self.interval).max(now);
        Ok(true)
    }
}

/// A thread on the server's cores that evicts their caches once before each message.
pub struct Evictor {
    ask: Sender<()>,
    done: Receiver<()>,
    is_asked: bool,
    is_done: bool,
}

impl Evictor {
    /// Starts the thread beside a server; `bytes` are overwritten each time.
    pub fn start(server: u32, bytes: usize) -> Result<Evictor> {
        let (ask, asked) = mpsc::channel();
        let (tell, done) = mpsc::channel();
        let cores = process::cores_of(server)?;
        thread::spawn(move || -> Result<()> {
            process::run_on(&cores)?;
            let mut memory = vec![0u8; bytes];
            // Ends when the scenario drops the other ends of the channels.
            while asked.recv().is_ok() {
                memory.chunks_mut(LINE).for_each(|line| line[0] = line[0].wrapping_add(1));
                std::hint::black_box(&mut memory);
                tell.send(())?;
            }
            Ok(())
        });
        Ok(Evictor { ask, done, is_asked: false, is_done: false })
    }

    /// Whether the caches are evicted; the first call after a message starts the eviction.
    fn is_done(&mut self) -> Result<bool> {
        if !std::mem::replace(&mut self.is_asked, true) {
            self.is_done = false;
            self.ask.send(())?;
        }
        match self.done.try_recv() {
            Ok(()) => self.is_done = true,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => bail!("the caches cannot be emptied on the server's cores"),
        }
        Ok(self.is_done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_message_delays_those_after_it() {
        let mut pace = Pace::new(Duration::from_millis(40), None);
        let due = pace.next;
        assert!(!pace.is_due(due - Duration::from_millis(1)).unwrap());
        assert!(pace.is_due(due).unwrap());
        assert!(!pace.is_due(due + Duration::from_millis(39)).unwrap());
        let late = due + Duration::from_millis(200);
        assert!(pace.is_due(late).unwrap());
        assert_eq!(pace.next, late);
    }

    #[test]
    fn no_message_is_due_before_the_caches_are_empty() {
        let evictor = Evictor::start(std::process::id(), 1 << 20).unwrap();
        let mut pace = Pace::new(Duration::ZERO, Some(evictor));
        for _ in 0..3 {
            assert!(!pace.evictor.as_ref().unwrap().is_asked);
            while !pace.is_due(Instant::now()).unwrap() {
                thread::yield_now();
            }
        }
    }
}
