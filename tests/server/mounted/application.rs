//! An application in which a server is mounted, and what its clients send over HTTP.

use std::{future::pending, io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    serve::{Listener, ListenerExt},
};
use serde_json::{Value, json};
use sockeye::OpenServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, oneshot},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer},
    server::TlsStream,
};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::{
    client::{Client, Stream},
    harness::soon,
};

/// The most bytes in a pipe.
const ROOM: usize = 4096;

/// What a client and the application speak over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Over {
    Tcp,
    Tls,
    Pipe,
}

pub const ALL: [Over; 3] = [Over::Tcp, Over::Tls, Over::Pipe];

/// How a client reaches the application.
enum Way {
    Tcp(SocketAddr),
    Tls(SocketAddr, TlsConnector),
    Pipe(mpsc::UnboundedSender<DuplexStream>),
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct PipeListener(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for PipeListener {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

fn tls() -> (TlsAcceptor, TlsConnector) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = signed.cert.der().clone();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server.unwrap()).into(), Arc::new(client).into())
}

/// An application in which a server is mounted.
pub struct Application {
    way: Way,
    close: Arc<Notify>,
    serving: JoinHandle<sockeye::Result<()>>,
}

impl Application {
    /// Serves the routes of `server` behind `router`.
    pub async fn serve(over: Over, router: Router, server: OpenServer) -> Self {
        let (routes, handle) = server.into_router();
        let app = router.fallback_service(routes);
        let close = Arc::new(Notify::new());
        let closed = close.clone();
        let (end, ended) = oneshot::channel();
        let shutdown = async move {
            // The receiver waits for it.
            drop(end.send(handle.run_until(closed.notified()).await));
        };
        let (way, serving) = match over {
            Over::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let way = Way::Tcp(listener.local_addr().unwrap());
                let app = app.into_make_service_with_connect_info::<SocketAddr>();
                (way, tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(shutdown).into_future()))
            }
            Over::Tls => {
                let (acceptor, connector) = tls();
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let way = Way::Tls(listener.local_addr().unwrap(), connector);
                let listener = TlsListener { listener, acceptor }.tap_io(|_| {});
                let app = app.into_make_service_with_connect_info::<SocketAddr>();
                (way, tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(shutdown).into_future()))
            }
            Over::Pipe => {
                let (dialled, listener) = mpsc::unbounded_channel();
                let listener = PipeListener(listener);
                let serving = axum::serve(listener, app).with_graceful_shutdown(shutdown).into_future();
                (Way::Pipe(dialled), tokio::spawn(serving))
            }
        };
        let serving = tokio::spawn(async move {
            serving.await.unwrap().unwrap();
            ended.await.unwrap()
        });
        Self { way, close, serving }
    }

    pub async fn dial(&self) -> Box<dyn Stream> {
        match &self.way {
            Way::Tcp(address) => Box::new(soon(TcpStream::connect(address)).await.unwrap()),
            Way::Tls(address, connector) => {
                let stream = soon(TcpStream::connect(address)).await.unwrap();
                Box::new(soon(connector.connect("localhost".try_into().unwrap(), stream)).await.unwrap())
            }
            Way::Pipe(dialled) => {
                let (ours, theirs) = duplex(ROOM);
                dialled.send(theirs).unwrap();
                Box::new(ours)
            }
        }
    }

    /// A client over a WebSocket, in the root namespace.
    pub async fn client(&self) -> Client {
        let mut client = self.open(&[]).await;
        client.connect("", &json!({})).await.unwrap();
        client
    }

    pub async fn open(&self, headers: &[(&'static str, &str)]) -> Client {
        Client::over(self.dial().await, "localhost", "", headers).await.unwrap()
    }

    /// Sends a request on a connection of its own. The status and the body of the response.
    pub async fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.dial().await;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let mut answer = String::new();
        // Both at once: a pipe holds little.
        let (sent, read) = soon(async {
            tokio::join!(
                async {
                    writer.write_all(request.as_bytes()).await?;
                    writer.flush().await
                },
                reader.read_to_string(&mut answer)
            )
        })
        .await;
        sent.unwrap();
        read.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub async fn get(&self, path: &str) -> String {
        let (status, body) = self.request("GET", path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Has the server closed, and waits until the application has ended.
    pub async fn close(self) -> sockeye::Result<()> {
        self.begin_to_close();
        self.end().await
    }

    pub fn begin_to_close(&self) {
        self.close.notify_one();
    }

    pub async fn end(self) -> sockeye::Result<()> {
        soon(self.serving).await.unwrap()
    }
}

/// A session of a client that polls.
pub struct Polling<'a> {
    application: &'a Application,
    pub path: String,
}

impl<'a> Polling<'a> {
    pub async fn open(application: &'a Application) -> Self {
        let path = "/socket.io/?EIO=4&transport=polling".to_owned();
        let open = application.get(&path).await;
        let open: Value = serde_json::from_str(open.strip_prefix('0').expect(&open)).unwrap();
        let path = format!("{path}&sid={}", open["sid"].as_str().unwrap());
        let polling = Self { application, path };
        polling.post("40").await;
        let connected = polling.get().await;
        assert!(connected.starts_with("40{"), "{connected}");
        polling
    }

    pub async fn get(&self) -> String {
        self.application.get(&self.path).await
    }

    pub async fn post(&self, body: &str) {
        assert_eq!(self.application.request("POST", &self.path, body).await, (200, "ok".to_owned()));
    }

    /// Opens a WebSocket for the upgrade.
    pub async fn websocket(&self) -> WebSocketStream<Box<dyn Stream>> {
        let url = format!("ws://localhost{}", self.path.replace("transport=polling", "transport=websocket"));
        soon(client_async(url, self.application.dial().await)).await.unwrap().0
    }
}
