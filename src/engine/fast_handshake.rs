//! Accepts a WebSocket without hyper, if the whole handshake came in the first read. The response and OPEN are sent in
//! one write.

use http::HeaderMap;
use tokio::net::TcpStream;

use super::{
    connection_builder::ConnectionBuilder, frame::Frame, handshake::Handshake, reader::Reader, stream,
    websocket::HandshakeResponse,
};

/// Accepts the handshake and processes `ahead`, the bytes that came after it. `None` if [`ConnectionBuilder`] cannot
/// open the connection.
pub(crate) fn accept_fast(
    builder: ConnectionBuilder,
    handshake_response: HandshakeResponse,
    stream: TcpStream,
    ahead: &mut [u8],
) -> Option<Reader> {
    let head = head(handshake_response, &builder);
    let (reader, writer) = stream::split_tcp(stream);
    let connection = builder.open_websocket(writer, Some(&Frame::head(head)))?;
    let mut reader = Reader::new(connection, reader);
    reader.feed(ahead);
    Some(reader)
}

/// The head of the response.
fn head(response: HandshakeResponse, builder: &ConnectionBuilder) -> Vec<u8> {
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    let mut put = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            head.extend_from_slice(part);
        }
    };
    let hooks = builder.shared().hooks();
    if hooks.response_headers.is_some() {
        let mut headers = HeaderMap::new();
        response.headers().for_each(|(name, value)| drop(headers.insert(name, value)));
        hooks.change(&mut headers, &Handshake::new(builder.head(), ""));
        headers.iter().for_each(|(name, value)| put(name.as_str(), value.as_bytes()));
    } else {
        response.headers().for_each(|(name, value)| put(name, value.as_bytes()));
    }
    head.extend_from_slice(b"\r\n");
    head
}
