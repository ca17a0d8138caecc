//! A call: an event that was received and is not answered yet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Instant,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::{engine::ReceivedCharge, error::Error, hub::Turn, metrics::EventMetrics, protocol::Arguments};

/// The outcome of an event: the arguments of the acknowledgement, and the error if the event failed.
pub(super) type Outcome = (Arguments, Option<Error>);

/// An event that was received and is not answered yet.
pub(super) struct Call {
    pub(super) name: Arc<str>,
    pub(super) metrics: Arc<EventMetrics>,
    pub(super) arrived: Instant,
    pub(super) receipt: Receipt,
}

/// Data that is stored when an event arrives and needed when it is answered.
pub(super) struct Receipt {
    /// The id of the acknowledgement, if the client wants one.
    pub(super) id: Option<u64>,
    /// The charge for the event's memory, until it is answered. `None` if the event is refused at once.
    pub(super) charge: Option<ReceivedCharge>,
}

impl Call {
    pub(super) fn new(name: Arc<str>, metrics: &Arc<EventMetrics>, receipt: Receipt) -> Self {
        Self { name, metrics: metrics.clone(), arrived: Instant::now(), receipt }
    }

    /// Charges the event's memory as [`MemoryKind::Writes`](crate::engine::MemoryKind) from now on: it waits for a
    /// commit.
    pub(super) fn becomes_write(&mut self) {
        if let Some(charge) = &mut self.receipt.charge {
            charge.becomes_write();
        }
    }

    /// The error of an event whose handler panicked.
    pub(super) fn panicked(&self) -> Error {
        panicked(&self.name)
    }
}

/// The error of an event whose handler panicked.
pub(super) fn panicked(event: &str) -> Error {
    Error::internal("the server failed", format!("the handler of {event} panicked"))
}

/// An event whose handlers are running. The handlers and their contexts share it.
pub(super) struct RunningEvent {
    pub(super) name: Arc<str>,
    /// Whether the client asked for an acknowledgement.
    pub(super) wants_ack: bool,
    /// `None` once the event is answered, or its acknowledgement was taken.
    call: Mutex<Option<Call>>,
    turn: TurnEnd,
}

/// Whether the next job of a socket may begin, although this one still runs.
#[derive(Default)]
pub(super) struct TurnEnd {
    is_released: AtomicBool,
    /// The task that waits for the job's end or its release.
    waker: AtomicWaker,
}

impl TurnEnd {
    pub(super) fn is_released(&self) -> bool {
        self.is_released.load(Ordering::Acquire)
    }

    /// The task is woken by the next release.
    pub(super) fn wake_at_release(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

impl Turn for TurnEnd {
    fn release(&self) {
        self.is_released.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl RunningEvent {
    pub(super) fn new(call: Call) -> Arc<Self> {
        Arc::new(Self {
            name: call.name.clone(),
            wants_ack: call.receipt.id.is_some(),
            call: Mutex::new(Some(call)),
            turn: TurnEnd::default(),
        })
    }

    /// Takes the call, to answer the event. `None` if the call was taken before.
    pub(super) fn take(&self) -> Option<Call> {
        self.call.lock().take()
    }
}

impl Turn for RunningEvent {
    fn release(&self) {
        self.turn.release();
    }
}

/// What the handlers of a job run for.
#[derive(Clone)]
pub(super) enum Running {
    /// For an event.
    Event(Arc<RunningEvent>),
    /// For a change of the socket itself: it was connected, or its client is away, back or gone.
    Change(Arc<TurnEnd>),
}

impl Running {
    pub(super) fn turn(&self) -> &TurnEnd {
        match self {
            Self::Event(event) => &event.turn,
            Self::Change(turn) => turn,
        }
    }

    pub(super) fn event(&self) -> Option<&Arc<RunningEvent>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Change(_) => None,
        }
    }

    /// For an emit, which ends the turn if it waits for acknowledgements.
    pub(super) fn as_turn(&self) -> Arc<dyn Turn> {
        match self {
            Self::Event(event) => event.clone(),
            Self::Change(turn) => turn.clone(),
        }
    }
}
