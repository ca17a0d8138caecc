//! Models of a connection's output: over a WebSocket, with a kernel that accepts a few bytes at a time, and over
//! polling, with a real connection.

use std::{future::poll_fn, ops::ControlFlow};

use parking_lot::Mutex as Unmodelled;
use shuttle::{future, thread};

use super::*;
use crate::{
    engine::{
        flushers::{Flush, Flushers},
        memory::MemoryKind,
        models::{Client, engine},
        reason::DisconnectReason,
    },
    sync::{Mutex, models::check},
};

/// Number of runs of each model with each of the two schedulers.
const RUNS: usize = 500;
/// The size of the kernel's buffer in bytes.
const KERNEL: usize = 40;
/// Bytes that the client reads at a time.
const READ: usize = 17;

/// The kernel's side of a stream.
#[derive(Default)]
struct Kernel {
    held: Vec<u8>,
    is_shut: bool,
    /// Wakers of the client, which waits for bytes, and of the server, which waits until the stream is writable.
    client: Option<Waker>,
    server: Option<Waker>,
}

/// The server's end of a stream. Its lock is an ordinary lock, so that a write is one step of the model.
struct KernelWriter(Arc<Unmodelled<Kernel>>);

impl Writer for KernelWriter {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut kernel = self.0.lock();
        let taken = bytes.len().min(KERNEL - kernel.held.len());
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        kernel.held.extend_from_slice(&bytes[..taken]);
        kernel.client.take().into_iter().for_each(Waker::wake);
        Ok(taken)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut kernel = self.0.lock();
        if kernel.held.len() < KERNEL {
            return Poll::Ready(());
        }
        kernel.server = Some(cx.waker().clone());
        Poll::Pending
    }

    fn drop_without_shutdown(self) {}
}

impl Drop for KernelWriter {
    fn drop(&mut self) {
        let mut kernel = self.0.lock();
        kernel.is_shut = true;
        kernel.client.take().into_iter().for_each(Waker::wake);
    }
}

/// A connection over a WebSocket, reduced to its output.
struct Line {
    output: Mutex<Output<KernelWriter>>,
    flushers: Flushers,
    account: Arc<Account>,
    kernel: Arc<Unmodelled<Kernel>>,
    /// The bytes of all frames that the output accepted, in order.
    accepted: Unmodelled<Vec<u8>>,
    /// Frames that answer the client's packets.
    answers: Unmodelled<Vec<Arc<Frame>>>,
}

impl Flush for Line {
    fn flush(self: Arc<Self>) {
        assert_eq!(self.output.lock().flush(), FlushResult::Done);
    }
}

impl Line {
    /// Opens a connection with its flushers and its reader. The reader answers this number of packets of the client.
    fn open(answers: u32) -> (Arc<Self>, future::JoinHandle<()>) {
        let (kernel, account) = (Arc::default(), Account::unbounded());
        let output = Output::new(Protocol::V4, Transport::WebSocket(KernelWriter(Arc::clone(&kernel))), &account);
        let answers = Unmodelled::new((0..answers).rev().map(|number| frame("answer", number)).collect());
        let accepted = Unmodelled::default();
        let (output, flushers) = (Mutex::new(output), Flushers::new());
        let line = Arc::new(Self { output, flushers, account, kernel, accepted, answers });
        for index in 0..line.flushers.count() {
            let line = line.clone();
            drop(future::spawn(async move { line.flushers.run(index).await }));
        }
        let read = line.clone();
        (line, future::spawn(poll_fn(move |cx| read.poll(cx))))
    }

    /// Pushes a frame as a connection does.
    fn push(self: &Arc<Self>, frame: &Arc<Frame>) {
        let pushed = {
            let mut output = self.output.lock();
            let pushed = output.push(frame, false, usize::MAX);
            if pushed != PushResult::Gone {
                self.accepted.lock().extend_from_slice(frame.websocket_bytes(Protocol::V4));
            }
            pushed
        };
        if pushed == PushResult::Schedule {
            self.flushers.schedule(&mut vec![self.clone()]);
        }
    }

    /// The steps of a reader.
    fn poll(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut output = self.output.lock();
            if !output.register_reader(cx) {
                return Poll::Ready(());
            }
            let is_writable = output.poll_unblocked(cx);
            drop(output);
            if is_writable {
                self.clone().flush();
                continue;
            }
            let Some(answer) = self.answers.lock().pop() else { return Poll::Pending };
            self.output.lock().cork();
            self.push(&answer);
            self.clone().flush();
        }
    }

    /// Reads this number of bytes, or to the end of the stream.
    fn read(&self, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < most {
            let read = future::block_on(poll_fn(|cx| {
                let mut kernel = self.kernel.lock();
                let taken = kernel.held.len().min(READ);
                bytes.extend(kernel.held.drain(..taken));
                if taken > 0 {
                    kernel.server.take().into_iter().for_each(Waker::wake);
                    return Poll::Ready(ControlFlow::Continue(()));
                }
                if kernel.is_shut {
                    return Poll::Ready(ControlFlow::Break(()));
                }
                kernel.client = Some(cx.waker().clone());
                Poll::Pending
            }));
            if read.is_break() {
                break;
            }
            thread::yield_now();
        }
        bytes
    }

    /// Starts two threads that push this number of frames each.
    fn pushers(self: &Arc<Self>, count: u32) -> [thread::JoinHandle<()>; 2] {
        ["one", "two"].map(|name| {
            let line = self.clone();
            thread::spawn(move || (0..count).for_each(|number| line.push(&frame(name, number))))
        })
    }

    /// Closes it as an aborted connection does, and waits for its reader.
    fn abort(&self, reader: future::JoinHandle<()>) {
        self.output.lock().close();
        future::block_on(reader).expect("the reader does not panic");
        assert_eq!(self.account.held(MemoryKind::Output), 0, "nothing is charged any more");
    }
}

fn frame(name: &str, number: u32) -> Arc<Frame> {
    Frame::event("/", None, &format!(r#"["{name}",{number}]"#), Vec::new(), None)
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("the thread does not panic");
    }
}

#[test]
fn a_pushed_frame_is_written_even_if_nothing_else_happens() {
    check(RUNS, || {
        let (line, reader) = Line::open(0);
        let pushers = line.pushers(1);
        assert_eq!(line.read(2 * frame("one", 0).websocket_bytes(Protocol::V4).len()), *line.accepted.lock());
        join(pushers);
        line.abort(reader);
    });
}

#[test]
fn all_pushed_frames_are_written_in_order_without_a_further_push() {
    check(RUNS, || {
        let (line, reader) = Line::open(2);
        let pushers = line.pushers(3);
        let all = ["one", "two"].iter().flat_map(|name| (0..3).map(|number| frame(name, number)));
        let all = all.chain((0..2).map(|number| frame("answer", number)));
        let arrived = line.read(all.map(|frame| frame.websocket_bytes(Protocol::V4).len()).sum());
        join(pushers);
        assert!(arrived == *line.accepted.lock(), "{}", String::from_utf8_lossy(&arrived));
        assert_eq!(line.output.lock().bytes(), 0);
        line.abort(reader);
    });
}

#[test]
fn all_accepted_frames_are_written_before_the_last_frame_and_then_the_stream_is_shut_down() {
    check(RUNS, || {
        let (line, reader) = Line::open(2);
        let pushers = line.pushers(3);
        let ended = line.clone();
        let end = thread::spawn(move || {
            let last = frame("last", 0);
            {
                let mut output = ended.output.lock();
                ended.accepted.lock().extend_from_slice(last.websocket_bytes(Protocol::V4));
                output.push_last(Some(last));
            }
            ended.flush();
        });
        let arrived = line.read(usize::MAX);
        join(pushers.into_iter().chain([end]));
        assert!(arrived == *line.accepted.lock(), "{}", String::from_utf8_lossy(&arrived));
        line.abort(reader);
    });
}

#[test]
fn the_bytes_written_before_a_close_are_a_prefix_of_the_accepted_ones() {
    check(RUNS, || {
        let (line, reader) = Line::open(2);
        let pushers = line.pushers(3);
        let closed = line.clone();
        let close = thread::spawn(move || closed.output.lock().close());
        let arrived = line.read(usize::MAX);
        join(pushers.into_iter().chain([close]));
        assert!(line.accepted.lock().starts_with(&arrived), "{}", String::from_utf8_lossy(&arrived));
        line.abort(reader);
    });
}

#[test]
fn polls_fetch_all_accepted_frames_and_then_close() {
    check(RUNS, || {
        let engine = engine();
        let client = Arc::new(Client::new(&engine, "client"));
        let pushers = ["one", "two"].map(|name| {
            let client = client.clone();
            thread::spawn(move || (0..3).filter(|number| client.send(&frame(name, *number))).count())
        });
        let ended = client.clone();
        let end = thread::spawn(move || ended.end(DisconnectReason::ForcedServerClose));
        let mut packets = Vec::new();
        while packets.last().is_none_or(|packet| packet != "1") {
            packets.extend(future::block_on(client.get()));
        }
        end.join().expect("it does not panic");
        packets.retain(|packet| packet.starts_with('4'));
        for (name, pusher) in ["one", "two"].into_iter().zip(pushers) {
            let accepted = pusher.join().expect("it does not panic");
            let own: Vec<_> = packets.iter().filter(|packet| packet.contains(name)).cloned().collect();
            let wanted: Vec<_> = (0..accepted).map(|number| format!(r#"42["{name}",{number}]"#)).collect();
            assert_eq!(own, wanted);
        }
        drop(packets);
        assert_eq!(engine.shared.account.held(MemoryKind::Output), 0, "nothing is charged any more");
    });
}
