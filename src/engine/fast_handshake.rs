//! The fast way of a WebSocket: its handshake came whole in the first read, before hyper. The response and OPEN leave
//! in one write.

use tokio::net::TcpStream;

use super::{frame::Frame, opening::Opening, reader::Reader, websocket::Acceptance};

/// Accepts the handshake and takes in `ahead`, the bytes that came after it. `None` if the library refuses.
pub(crate) fn accept_fast(
    opening: Opening,
    acceptance: Acceptance,
    stream: TcpStream,
    ahead: &mut [u8],
) -> Option<Reader> {
    let mut head = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
    for (name, value) in acceptance.headers() {
        let value = value.to_str().expect("the headers of an acceptance are ASCII");
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    let (reader, writer) = stream.into_split();
    let connection = opening.websocket(writer, Some(&Frame::head(head)))?;
    let mut reader = Reader::new(connection, reader);
    reader.feed(ahead);
    Some(reader)
}
