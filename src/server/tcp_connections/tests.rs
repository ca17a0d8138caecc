//! Tests of the limits of TCP connections, and of which connections are closed to make room.

use futures_util::FutureExt;

use super::*;

const CAPACITY: Capacity = Capacity { connections: 8, closing: 2 };

fn connections(sockets_per_address: usize) -> Arc<Connections> {
    let config = LimitsConfig { sockets_per_address, ..LimitsConfig::default() };
    Connections::with(CAPACITY, Limits::new(config, Metrics::off()), Metrics::off())
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// A connection from this address, with the notification that tells it to close.
fn connect(connections: &Arc<Connections>, from: u8) -> Result<(ConnectionPermit, Arc<Notify>), Full> {
    let close = Arc::new(Notify::new());
    connections.admit(Some(address(from)), &close).map(|permit| (permit, close))
}

fn is_told(close: &Notify) -> bool {
    close.notified().now_or_never().is_some()
}

#[test]
fn at_the_limit_of_an_address_its_longest_idle_connection_is_closed() {
    let connections = connections(1_000);
    let mut first: Vec<_> = (0..6).map(|_| connect(&connections, 1).unwrap()).collect();
    first[0].0.begin_request(|| address(1)).unwrap();
    let (_seventh, _) = connect(&connections, 1).unwrap();
    let told: Vec<_> = first.iter().map(|(_, close)| is_told(close)).collect();
    assert_eq!(told, [false, true, false, false, false, false], "the second one is idle for longest");
    first.remove(1);
    for (permit, _) in &mut first {
        permit.begin_request(|| address(1)).unwrap();
    }
    let (mut last, _) = connect(&connections, 1).expect("the seventh is idle");
    last.begin_request(|| address(1)).unwrap();
    assert_eq!(connect(&connections, 1).err(), Some(Full::Address));
    assert!(connect(&connections, 2).is_ok(), "others have room");
    drop(first);
    assert!(connect(&connections, 1).is_ok());
}

#[test]
fn at_the_limit_of_all_connections_the_longest_idle_one_is_closed() {
    let connections = connections(0);
    let mut permits: Vec<_> = (1..=8).map(|from| connect(&connections, from).unwrap()).collect();
    let (mut ninth, _) = connect(&connections, 9).unwrap();
    assert!(is_told(&permits[0].1));
    permits.remove(0);
    ninth.begin_request(|| address(9)).unwrap();
    for (permit, _) in &mut permits {
        permit.begin_request(|| address(1)).unwrap();
    }
    assert_eq!(connect(&connections, 10).err(), Some(Full::All));
    let (permit, close) = &mut permits[0];
    permit.become_idle(close);
    assert!(connect(&connections, 10).is_ok());
    assert!(is_told(close));
    assert_eq!(
        permit.begin_request(|| address(2)).err(),
        Some(Full::All),
        "a connection that was told to close may not begin a request"
    );
}

#[test]
fn a_proxys_connections_count_for_the_clients_whose_requests_it_forwards() {
    let connections = connections(1_000);
    let close = Arc::new(Notify::new());
    let mut permits: Vec<_> = (0..8).map(|_| connections.admit(None, &close).unwrap()).collect();
    for permit in &mut permits[..6] {
        permit.begin_request(|| address(1)).unwrap();
    }
    assert_eq!(permits[6].begin_request(|| address(1)).err(), Some(Full::Address));
    assert_eq!(permits[7].begin_request(|| address(2)).err(), None);
    permits[0].become_idle(&close);
    assert_eq!(permits[6].begin_request(|| address(1)).err(), None, "its request is answered");
}

#[test]
fn a_few_closing_connections_may_send_their_last_response_and_are_not_waited_for() {
    let connections = connections(0);
    let mut permits: Vec<_> = (1..=8).map(|from| connect(&connections, from).unwrap()).collect();
    for (permit, close) in &mut permits[1..] {
        permit.begin_request(|| address(1)).unwrap();
        permit.become_idle(close);
    }
    let mut newer = Vec::new();
    let (mut may_linger, mut lingering) = (Vec::new(), Vec::new());
    for (mut permit, close) in permits {
        newer.push(connect(&connections, 9).unwrap());
        assert!(is_told(&close));
        let may = permit.may_linger();
        may_linger.push(may);
        if may {
            lingering.push(permit);
        }
        assert!(connections.wait_for_closing().now_or_never().is_some());
    }
    assert_eq!(may_linger, [false, true, true, false, false, false, false, false], "the first one never got a request");
    drop((lingering, newer));
    let state = connections.state.lock();
    assert_eq!((state.all, state.closing, state.lingering, state.idle.len()), (0, 0, 0, 0));
}

#[tokio::test]
async fn many_closing_connections_are_waited_for() {
    let connections = connections(0);
    let mut permits: Vec<_> = (1..=10).map(|from| connect(&connections, from).unwrap()).collect();
    let mut waiting = std::pin::pin!(connections.wait_for_closing());
    assert!(waiting.as_mut().now_or_never().is_none(), "two have not closed yet");
    drop(permits.remove(0));
    assert!(waiting.as_mut().now_or_never().is_some());
    drop(permits);
    let state = connections.state.lock();
    assert_eq!((state.all, state.closing, state.by_address.len(), state.idle.len()), (0, 0, 0, 0));
}

#[test]
fn some_file_descriptors_are_reserved_for_other_purposes() {
    for files in [16, 64, 256, 1_024, 1_000_000] {
        let Capacity { connections, closing } = Capacity::of(files, 10);
        assert!(connections + 2 * closing + 10 < files && connections > 0, "{files}");
    }
}
