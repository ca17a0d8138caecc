//! `sockeye health`: asks a running server whether it is ready.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::Context;

/// Timeout of a health check.
const PATIENCE: Duration = Duration::from_secs(3);

/// Requests `/ready` at the server's address; on loopback if the server listens on every interface.
pub(super) fn health(listen: &str) -> anyhow::Result<()> {
    let mut address = listen.to_socket_addrs()?.next().context("server.listen names no address")?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200 "), "{address} is not ready: {}", body.trim());
    print!("{body}");
    Ok(())
}
