//! Tests of an output over a real TCP connection with small buffers.

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream, tcp::OwnedWriteHalf},
    time::timeout,
};

use super::*;
use crate::engine::{
    stream::{self, ReadHalf},
    websocket::opcode,
};

/// Both ends of a TCP connection with small buffers.
async fn narrow_connection() -> (ReadHalf, WriteHalf, TcpStream) {
    let listener = TcpSocket::new_v4().unwrap();
    listener.set_recv_buffer_size(4096).unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1).unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    let (ours, theirs) = tokio::join!(socket.connect(listener.local_addr().unwrap()), listener.accept());
    let ours = ours.unwrap();
    ours.set_nodelay(true).unwrap();
    let (reader, writer) = stream::split_tcp(ours);
    (reader, writer, theirs.unwrap().0)
}

/// Reads to the end of the stream, with reads of different sizes.
async fn read_in_pieces(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    for size in (0..).map(|turn: usize| 1 + turn * 7919 % 3001) {
        let mut piece = vec![0; size];
        let len = stream.read(&mut piece).await.unwrap();
        if len == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..len]);
    }
    bytes
}

async fn unblocked(output: &mut Output) {
    poll_fn(|cx| {
        assert!(output.register_reader(cx), "it is open");
        if output.poll_unblocked(cx) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn all_frames_arrive(protocol: Protocol) {
    let frames: Vec<_> = (0..400_usize)
        .map(|index| {
            let text = format!("[\"{index}\",\"{}\"]", "x".repeat(index * 31 % 1_500));
            let attachments = vec![Bytes::from(vec![index as u8; index * 17 % 700]); index % 3];
            Frame::event("/", None, &text, attachments, None)
        })
        .chain([Frame::control(opcode::CLOSE, &1000_u16.to_be_bytes())])
        .collect();
    let expected: Vec<u8> = frames.iter().flat_map(|frame| frame.websocket_bytes(protocol).to_vec()).collect();
    let (_reader, writer, client) = narrow_connection().await;
    let client = tokio::spawn(read_in_pieces(client));
    let mut output = Output::new(protocol, Transport::WebSocket(writer), &Account::unbounded());
    let mut times_blocked = 0;
    let (last, frames) = frames.split_last().unwrap();
    for (index, frame) in frames.iter().enumerate() {
        assert!(matches!(output.push(frame, false, usize::MAX), PushResult::Queued | PushResult::Schedule));
        if index % 7 == 0 {
            assert_eq!(output.flush(), FlushResult::Done);
        }
        if index % 50 == 0 && output.is_blocked {
            times_blocked += 1;
            unblocked(&mut output).await;
        }
    }
    output.push_last(Some(last.clone()));
    while output.flush() == FlushResult::Done && output.bytes() > 0 {
        times_blocked += 1;
        unblocked(&mut output).await;
    }
    assert!(times_blocked > 3, "the buffers are too large for this test");
    let arrived = client.await.unwrap();
    assert!(arrived == expected, "{} bytes arrived of {}", arrived.len(), expected.len());
}

#[tokio::test]
async fn all_frames_arrive_in_order_and_once_through_small_buffers() {
    for protocol in [Protocol::V4, Protocol::V3] {
        timeout(Duration::from_secs(30), all_frames_arrive(protocol)).await.expect("everything in time");
    }
}

#[test]
fn a_transport_has_the_size_that_it_has_over_tcp_alone() {
    assert_eq!(size_of::<Transport>(), size_of::<Transport<OwnedWriteHalf>>());
    assert_eq!(size_of::<Output>(), size_of::<Output<OwnedWriteHalf>>());
}
