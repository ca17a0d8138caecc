//! Through a real connection.

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use tokio::{
    io::AsyncReadExt,
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::*;
use crate::engine::websocket::opcode;

/// The two ends of a connection that holds little.
async fn narrow_connection() -> (OwnedReadHalf, OwnedWriteHalf, TcpStream) {
    let listener = TcpSocket::new_v4().unwrap();
    listener.set_recv_buffer_size(4096).unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1).unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    let (ours, theirs) = tokio::join!(socket.connect(listener.local_addr().unwrap()), listener.accept());
    let ours = ours.unwrap();
    ours.set_nodelay(true).unwrap();
    let (reader, writer) = ours.into_split();
    (reader, writer, theirs.unwrap().0)
}

/// Reads until nothing more comes, each time up to another size.
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
        assert!(output.watch(cx), "it is open");
        if output.poll_unblocked(cx) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn everything_arrives(protocol: Protocol) {
    let frames: Vec<_> = (0..400_usize)
        .map(|index| {
            let text = format!("[\"{index}\",\"{}\"]", "x".repeat(index * 31 % 1_500));
            let attachments = vec![Bytes::from(vec![index as u8; index * 17 % 700]); index % 3];
            Frame::event("/", None, &text, attachments, None)
        })
        .chain([Frame::control(opcode::CLOSE, &1000_u16.to_be_bytes())])
        .collect();
    let expected: Vec<u8> = frames.iter().flat_map(|frame| frame.wire(protocol).to_vec()).collect();
    let (_reader, writer, client) = narrow_connection().await;
    let client = tokio::spawn(read_in_pieces(client));
    let mut output = Output::new(protocol, Transport::WebSocket(writer), &Account::unbounded());
    let mut times_blocked = 0;
    let (last, frames) = frames.split_last().unwrap();
    for (index, frame) in frames.iter().enumerate() {
        assert!(matches!(output.push(frame, false, usize::MAX), Pushed::Queued | Pushed::Schedule));
        if index % 7 == 0 {
            assert_eq!(output.flush(), Flushed::Done);
        }
        if index % 50 == 0 && output.is_blocked {
            times_blocked += 1;
            unblocked(&mut output).await;
        }
    }
    output.push_last(Some(last.clone()));
    while output.flush() == Flushed::Done && output.bytes() > 0 {
        times_blocked += 1;
        unblocked(&mut output).await;
    }
    assert!(times_blocked > 3, "the connection held it all");
    let arrived = client.await.unwrap();
    assert!(arrived == expected, "{} bytes arrived of {}", arrived.len(), expected.len());
}

#[tokio::test]
async fn everything_arrives_in_order_and_once_through_a_connection_that_holds_little() {
    for protocol in [Protocol::V4, Protocol::V3] {
        timeout(Duration::from_secs(30), everything_arrives(protocol)).await.expect("everything in time");
    }
}
