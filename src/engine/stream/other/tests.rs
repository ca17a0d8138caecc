//! Over pipes within the process, through an output and with a reader that waits, as in a connection.

use std::{future::poll_fn, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex},
    time::timeout,
};

use super::*;

/// The most bytes in a pipe.
const ROOM: usize = 64;

/// Sends all bytes as an output and its reader do, and then what the stream itself holds back.
async fn send_all<S: AsyncRead + AsyncWrite + Unpin>(writer: &OtherWriteHalf<S>, mut bytes: &[u8]) -> usize {
    let mut times_blocked = 0;
    loop {
        let sent = if bytes.is_empty() { writer.flush().map(|()| 0) } else { writer.send(bytes) };
        match sent {
            Ok(_) if bytes.is_empty() => return times_blocked,
            Ok(len) => bytes = &bytes[len..],
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                times_blocked += 1;
                poll_fn(|cx| writer.poll_writable(cx)).await;
            }
        }
    }
}

/// Reads to the end, a few bytes at a time.
async fn read_all(mut client: DuplexStream) -> Vec<u8> {
    let (mut all, mut piece) = (Vec::new(), [0; 7]);
    while let len @ 1.. = client.read(&mut piece).await.unwrap() {
        all.extend_from_slice(&piece[..len]);
        tokio::task::yield_now().await;
    }
    all
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(reader: &OtherReadHalf<S>) -> Vec<u8> {
    let mut bytes = [0; 16];
    let mut into = ReadBuf::new(&mut bytes);
    poll_fn(|cx| reader.poll_read(cx, &mut into)).await.unwrap();
    into.filled().to_vec()
}

async fn everything_arrives<S: AsyncRead + AsyncWrite + Unpin>(stream: S, client: DuplexStream) {
    let (reader, writer) = split(stream);
    let bytes: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    let client = tokio::spawn(read_all(client));
    assert!(send_all(&writer, &bytes).await > 10, "the pipe took it all at once");
    drop(writer);
    assert_eq!(read(&reader).await, b"", "the client has closed it, after it had read everything");
    assert_eq!(client.await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_through_a_narrow_stream_and_then_its_end() {
    let (ours, theirs) = duplex(ROOM);
    timeout(Duration::from_secs(30), everything_arrives(ours, theirs)).await.expect("everything in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_holds_back_arrives_too() {
    let (ours, theirs) = duplex(ROOM);
    let ours = BufWriter::with_capacity(1024, ours);
    timeout(Duration::from_secs(30), everything_arrives(ours, theirs)).await.expect("everything in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_that_has_to_wait_is_continued_by_the_reader() {
    let (ours, theirs) = duplex(ROOM);
    let (reader, writer) = split(BufWriter::with_capacity(1024, ours));
    assert_eq!(writer.send(&[7; 1000]).unwrap(), 1000, "it is held back");
    drop(writer);
    let reading = tokio::spawn(async move { read(&reader).await });
    let arrived = timeout(Duration::from_secs(30), read_all(theirs)).await.expect("the end in time");
    assert_eq!(arrived, [7; 1000]);
    assert_eq!(reading.await.unwrap(), b"");
}

#[tokio::test]
async fn reading_goes_on_while_a_write_waits() {
    let (ours, mut theirs) = duplex(ROOM);
    let (reader, writer) = split(ours);
    assert_eq!(writer.send(&[1; 100]).unwrap(), ROOM);
    assert_eq!(writer.send(&[1; 36]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    theirs.write_all(b"hello").await.unwrap();
    assert_eq!(read(&reader).await, b"hello");
    theirs.read_exact(&mut [0; ROOM]).await.unwrap();
    poll_fn(|cx| writer.poll_writable(cx)).await;
    assert_eq!(writer.send(&[1; 36]).unwrap(), 36);
}

#[tokio::test]
async fn a_stream_that_is_dropped_with_its_halves_is_freed() {
    let (ours, mut theirs) = duplex(ROOM);
    let (reader, writer) = split(ours);
    assert_eq!(writer.send(&[1; 100]).unwrap(), ROOM);
    assert!(writer.send(&[1]).is_err(), "the stream holds the waker now");
    drop((writer, reader));
    theirs.read_exact(&mut [0; ROOM]).await.unwrap();
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
    assert!(theirs.write_all(b"a").await.is_err(), "nobody reads it any more");
}
