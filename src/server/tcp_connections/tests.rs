//! Who gets a place, and who makes room for it.

use futures_util::FutureExt;

use super::*;

const ROOM: Room = Room { connections: 8, leaving: 2 };

fn connections(sockets_per_address: usize) -> Arc<Connections> {
    let config = LimitsConfig { sockets_per_address, ..LimitsConfig::default() };
    Connections::with(ROOM, Limits::new(config, Metrics::off()), Metrics::off())
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// A connection from this address, and how it is told to close.
fn connect(connections: &Arc<Connections>, from: u8) -> Result<(Place, Arc<Notify>), Full> {
    let close = Arc::new(Notify::new());
    connections.admit(Some(address(from)), &close).map(|place| (place, close))
}

fn is_told(close: &Notify) -> bool {
    close.notified().now_or_never().is_some()
}

#[test]
fn an_address_has_its_share_and_its_longest_idle_connection_makes_room() {
    let connections = connections(1_000);
    let mut first: Vec<_> = (0..6).map(|_| connect(&connections, 1).unwrap()).collect();
    first[0].0.work(|| address(1)).unwrap();
    let (_seventh, _) = connect(&connections, 1).unwrap();
    let told: Vec<_> = first.iter().map(|(_, close)| is_told(close)).collect();
    assert_eq!(told, [false, true, false, false, false, false], "the second one is idle for longest");
    first.remove(1);
    for (place, _) in &mut first {
        place.work(|| address(1)).unwrap();
    }
    let (mut last, _) = connect(&connections, 1).expect("the seventh is idle");
    last.work(|| address(1)).unwrap();
    assert_eq!(connect(&connections, 1).err(), Some(Full::Address));
    assert!(connect(&connections, 2).is_ok(), "others have room");
    drop(first);
    assert!(connect(&connections, 1).is_ok());
}

#[test]
fn all_together_have_room_too() {
    let connections = connections(0);
    let mut places: Vec<_> = (1..=8).map(|from| connect(&connections, from).unwrap()).collect();
    let (mut ninth, _) = connect(&connections, 9).unwrap();
    assert!(is_told(&places[0].1));
    places.remove(0);
    ninth.work(|| address(9)).unwrap();
    for (place, _) in &mut places {
        place.work(|| address(1)).unwrap();
    }
    assert_eq!(connect(&connections, 10).err(), Some(Full::All));
    let (place, close) = &mut places[0];
    place.wait(close);
    assert!(connect(&connections, 10).is_ok());
    assert!(is_told(close));
    assert_eq!(place.work(|| address(2)).err(), Some(Full::All), "it may not begin anything");
}

#[test]
fn a_proxys_connections_are_those_of_the_clients_it_asks_for() {
    let connections = connections(1_000);
    let close = Arc::new(Notify::new());
    let mut places: Vec<_> = (0..8).map(|_| connections.admit(None, &close).unwrap()).collect();
    for place in &mut places[..6] {
        place.work(|| address(1)).unwrap();
    }
    assert_eq!(places[6].work(|| address(1)).err(), Some(Full::Address));
    assert_eq!(places[7].work(|| address(2)).err(), None);
    places[0].wait(&close);
    assert_eq!(places[6].work(|| address(1)).err(), None, "its request is answered");
}

#[test]
fn few_may_send_a_last_answer_and_nobody_waits_for_them() {
    let connections = connections(0);
    let mut places: Vec<_> = (1..=8).map(|from| connect(&connections, from).unwrap()).collect();
    for (place, close) in &mut places[1..] {
        place.work(|| address(1)).unwrap();
        place.wait(close);
    }
    let mut newer = Vec::new();
    let (mut may_linger, mut lingering) = (Vec::new(), Vec::new());
    for (mut place, close) in places {
        newer.push(connect(&connections, 9).unwrap());
        assert!(is_told(&close));
        let may = place.may_linger();
        may_linger.push(may);
        if may {
            lingering.push(place);
        }
        assert!(connections.settled().now_or_never().is_some());
    }
    assert_eq!(
        may_linger,
        [false, true, true, false, false, false, false, false],
        "the first one was never asked anything"
    );
    drop((lingering, newer));
    let state = connections.state.lock();
    assert_eq!((state.all, state.leaving, state.lingering, state.idle.len()), (0, 0, 0, 0));
}

#[tokio::test]
async fn many_that_are_on_their_way_out_are_waited_for() {
    let connections = connections(0);
    let mut places: Vec<_> = (1..=10).map(|from| connect(&connections, from).unwrap()).collect();
    let mut settled = std::pin::pin!(connections.settled());
    assert!(settled.as_mut().now_or_never().is_none(), "two have not closed yet");
    drop(places.remove(0));
    assert!(settled.as_mut().now_or_never().is_some());
    drop(places);
    let state = connections.state.lock();
    assert_eq!((state.all, state.leaving, state.by_address.len(), state.idle.len()), (0, 0, 0, 0));
}

#[test]
fn some_files_are_kept_for_other_things() {
    for files in [16, 64, 256, 1_024, 1_000_000] {
        let Room { connections, leaving } = Room::of(files, 10);
        assert!(connections + 2 * leaving + 10 < files && connections > 0, "{files}");
    }
}
