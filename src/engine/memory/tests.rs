//! Tests of charges, of the bounds, and of the wake-ups when memory is free again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Context,
};

use bytes::Bytes;
use futures_util::task::{ArcWake, waker};
use proptest::{collection::vec, prelude::*};

use super::{
    account::{SMALL_BODY, STEP, TRIM, received_bytes},
    kind::KINDS,
    *,
};
use crate::{
    config::LimitsConfig,
    engine::{frame::Frame, offset::Offsets, recovery_log::RecoveryLog, version::Protocol},
};

const MEMORY: usize = 8_000_000;

fn account() -> Arc<Account> {
    let limits =
        LimitsConfig { memory: MEMORY, received_bytes: 1_000_000, payload_bytes: 100_000, ..LimitsConfig::default() };
    Account::new(&limits, MEMORY)
}

fn event(bytes: usize, offsets: &Offsets) -> Arc<Frame> {
    Frame::event("/", None, &format!("[\"a\",\"{}\"]", "x".repeat(bytes)), Vec::new(), Some(offsets))
}

/// A waker that counts its wake-ups.
#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl ArcWake for CountingWaker {
    fn wake_by_ref(this: &Arc<Self>) {
        this.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_packet_is_charged_once_and_as_output_while_a_queue_holds_it() {
    let (account, offsets) = (account(), Offsets::new());
    let frame = event(100_000, &offsets);
    let mut logs: Vec<_> = (0..100).map(|_| RecoveryLog::default()).collect();
    let charge = frame.charge(&account);
    charge.queued();
    charge.queued();
    logs.iter_mut().for_each(|log| log.push(&frame, 10, usize::MAX, &account));
    assert!((100_000..110_000).contains(&account.held(MemoryKind::Output)), "{}", account.held(MemoryKind::Output));
    assert!(account.held(MemoryKind::Logs) < 100 * 16 * 10, "only the entries of the logs");
    charge.unqueued(false);
    assert!(account.held(MemoryKind::Output) >= 100_000, "one queue still has it");
    charge.unqueued(false);
    assert_eq!(account.held(MemoryKind::Output), 0);
    assert!(account.held(MemoryKind::Logs) >= 100_000);
    drop(logs);
    drop(frame);
    assert_eq!(account.total(), 0);
}

#[test]
fn each_encoding_of_a_packet_is_charged() {
    let (account, offsets) = (account(), Offsets::new());
    let frame = event(1_000, &offsets);
    frame.charge(&account);
    let before = account.total();
    frame.websocket_bytes(Protocol::V3);
    assert!(account.total() >= before + 1_000);
    drop(frame);
    assert_eq!(account.total(), 0);
}

#[test]
fn a_connection_above_its_bound_is_not_read_from_and_is_woken_when_there_is_room() {
    let account = account();
    let received = ReceivedBytes::new(&account);
    let woken = Arc::new(CountingWaker::default());
    let own = waker(woken.clone());
    let cx = Context::from_waker(&own);
    let charges: Vec<_> = (0..3).map(|_| ReceivedCharge::event(&received, 400_000)).collect();
    assert!(received.poll_room(&cx).is_pending());
    assert!(received.poll_room(&cx).is_pending(), "registered twice, woken once");
    let mut charges = charges.into_iter();
    drop(charges.next());
    assert_eq!(woken.0.load(Relaxed), 1);
    assert!(received.poll_room(&cx).is_ready());
    drop(charges);
    assert_eq!((received.bytes(), account.total()), (0, 0));
}

#[test]
fn the_input_bound_of_a_connection_is_raised_to_hold_one_event_and_one_more_message() {
    let limits = |received_bytes, payload_bytes| LimitsConfig { received_bytes, payload_bytes, ..Default::default() };
    assert_eq!(received_bytes(&limits(4_000_000, 1_000_000)), 4_000_000);
    assert!(received_bytes(&limits(4_000_000, 10_000_000)) > 30_000_000);
    assert_eq!((received_bytes(&limits(0, 1)), received_bytes(&limits(1, 0))), (0, 0), "0 means no bound");
}

#[test]
fn joined_events_are_charged_with_the_joined_frame() {
    let (account, offsets) = (account(), Offsets::new());
    let joined = Frame::joined((0..4).map(|_| event(10_000, &offsets)).collect());
    joined.charge(&account);
    assert!(account.total() >= 80_000, "{}", account.total());
    joined.websocket_bytes(Protocol::V3);
    assert!(account.total() >= 120_000, "{}", account.total());
    drop(joined);
    assert_eq!(account.total(), 0);
}

#[test]
fn while_memory_is_scarce_only_connections_above_an_equal_share_wait() {
    let account = account();
    let (greedy, modest) = (ReceivedBytes::new(&account), ReceivedBytes::new(&account));
    let _two = [ConnectionCount::new(&account), ConnectionCount::new(&account)];
    let woken = Arc::new(CountingWaker::default());
    let own = waker(woken.clone());
    let cx = Context::from_waker(&own);
    let _small = ReceivedCharge::event(&modest, 1_000);
    let held = ReceivedCharge::event(&greedy, 900_000);
    let mut others = Charge::new(&account, MemoryKind::Output, 3 * MEMORY / 4);
    assert!(greedy.poll_room(&cx).is_ready());
    others.resize(MEMORY / 16 * 15 - account.held(MemoryKind::Events));
    assert!(account.is_scarce() && !account.is_full());
    // An equal share of two connections is three eighths of the bound.
    assert!(greedy.poll_room(&cx).is_ready(), "below its share");
    let _crowd: Vec<_> = (0..8).map(|_| ConnectionCount::new(&account)).collect();
    assert!(greedy.poll_room(&cx).is_pending());
    assert!(modest.poll_room(&cx).is_ready());
    others.resize(MEMORY);
    assert!(account.is_full() && held.is_refused());
    drop(others);
    assert_eq!(woken.0.load(Relaxed), 1, "woken when memory is not scarce any more");
    assert!(!account.is_scarce() && !held.is_refused() && greedy.poll_room(&cx).is_ready());
}

#[test]
fn when_memory_is_used_up_only_connections_below_an_eighth_of_a_share_are_read_from() {
    let account = account();
    let (large, small) = (ReceivedBytes::new(&account), ReceivedBytes::new(&account));
    let _two = [ConnectionCount::new(&account), ConnectionCount::new(&account)];
    let woken = Arc::new(CountingWaker::default());
    let own = waker(woken.clone());
    let cx = Context::from_waker(&own);
    let share = account.equal_share();
    let (held, _few) = (ReceivedCharge::event(&large, share / 4), ReceivedCharge::event(&small, share / 16));
    let mut others = Charge::new(&account, MemoryKind::Output, MEMORY);
    assert!(account.is_full() && !held.is_refused(), "its events are accepted, since it is below its share");
    assert!(large.poll_room(&cx).is_pending() && small.poll_room(&cx).is_ready());
    others.resize(MEMORY / 16 * 15 - account.held(MemoryKind::Events));
    assert!(account.is_scarce() && !account.is_full());
    assert_eq!(woken.0.load(Relaxed), 1, "woken when memory is scarce but no longer used up");
    assert!(large.poll_room(&cx).is_ready());
}

#[test]
fn large_bodies_may_use_a_quarter_of_the_memory_and_small_ones_are_always_accepted() {
    let account = account();
    assert!(account.takes_body(0, MEMORY / 4) && !account.takes_body(0, MEMORY / 4 + 1));
    let body = Charge::new(&account, MemoryKind::Http, MEMORY / 4).hold(Bytes::from_static(b"x"));
    assert!(!account.takes_body(0, SMALL_BODY + 1) && account.takes_body(0, SMALL_BODY));
    assert_eq!(account.body_size(1_000_000), SMALL_BODY);
    assert!(!account.takes_body(SMALL_BODY, 1), "the part that is charged already counts too");
    let part = body.slice(..);
    drop(body);
    assert_eq!(account.total(), MEMORY / 4, "a slice still holds it");
    drop(part);
    assert_eq!((account.total(), account.body_size(1_000_000)), (0, 1_000_000));
}

#[test]
fn freed_memory_is_returned_once_after_a_peak() {
    let account = account();
    let mut charge = Charge::new(&account, MemoryKind::Output, 3 * TRIM);
    assert!(!account.should_trim());
    charge.resize(TRIM);
    assert!(account.should_trim() && !account.should_trim());
}

/// A random step of the property test.
#[derive(Debug, Clone)]
enum Step {
    Hold(usize),
    Receive(usize),
    Resize(usize, usize),
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..200_000_usize).prop_map(Step::Hold),
        (0..200_000_usize).prop_map(Step::Receive),
        (any::<usize>(), 0..200_000_usize).prop_map(|(index, bytes)| Step::Resize(index, bytes)),
        any::<usize>().prop_map(Step::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_account_is_the_sum_of_its_charges(steps in vec(step(), 1..60)) {
        let account = account();
        let received = ReceivedBytes::new(&account);
        let (mut held, mut events) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Hold(bytes) => held.push(Charge::new(&account, MemoryKind::Http, bytes)),
                Step::Receive(bytes) => events.push(ReceivedCharge::event(&received, bytes)),
                Step::Resize(index, bytes) if !held.is_empty() => {
                    let index = index % held.len();
                    held[index].resize(bytes);
                }
                Step::Release(index) if !events.is_empty() => {
                    let mut event = events.swap_remove(index % events.len());
                    event.becomes_write();
                }
                Step::Resize(..) | Step::Release(_) => {}
            }
            let own: usize = events.iter().map(|event| event.bytes).sum();
            let other: usize = held.iter().map(Charge::bytes).sum();
            prop_assert_eq!((account.total(), received.bytes()), (own + other, own));
            let is_scarce = account.total() > MEMORY - MEMORY / 8;
            // The bounds are compared only when a multiple of `STEP` is crossed.
            let is_near = account.total().abs_diff(MEMORY - MEMORY / 8) <= KINDS * STEP;
            prop_assert!(is_near || account.is_scarce() == is_scarce);
        }
        drop((held, events));
        prop_assert_eq!((account.total(), received.bytes()), (0, 0));
    }
}
