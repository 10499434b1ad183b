//! Services of every kind to be checked: TLS, gRPC, and ones that behave as a test says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs};

/// A listener with a thread for each connection, which is given to the test's closure together
/// with its number, from 1 on. Dropping it closes the port; connections go on.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    stopped: Arc<AtomicBool>,
    taken: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A gRPC server with the health protocol.
pub(crate) struct GrpcPeer {
    pub(crate) address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    reporter: tonic_health::server::HealthReporter,
}

// === impl Peer ===

impl Peer {
    pub(crate) fn start(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0", serve)
    }

    pub(crate) fn start_on(
        address: &str,
        serve: impl Fn(TcpStream, usize) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (stopped, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let shared = (Arc::clone(&stopped), Arc::clone(&taken), Arc::new(serve));
        let thread = std::thread::spawn(move || {
            let (stopped, taken, serve) = shared;
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let number = taken.fetch_add(1, Ordering::SeqCst) + 1;
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream, number));
            }
        });
        Self { address, stopped, taken, thread: Some(thread) }
    }

    /// Answers each request with what `reply` says for its number: status and body.
    pub(crate) fn http(reply: impl Fn(usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::start(move |mut stream, number| {
            if read_head(&mut stream).is_some() {
                let (status, body) = reply(number);
                let _gone = stream.write_all(http_reply(status, "", &body).as_bytes());
            }
        })
    }

    /// Speaks TLS with this certificate, and answers 200 inside.
    pub(crate) fn https(certificate: &CertifiedKey<KeyPair>) -> Self {
        let key = PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        let config = Arc::new(config);
        Self::start(move |stream, _| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            if read_head(&mut stream).is_some() {
                let _gone = stream.write_all(http_reply(200, "", "secret").as_bytes());
                stream.conn.send_close_notify();
                let _gone = stream.flush();
            }
        })
    }

    /// How many connections it has taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the listener's thread does not panic");
        }
    }
}

/// A request's head, or nothing when the connection was closed before its end.
pub(crate) fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = String::new();
    let mut lines = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") {
        if lines.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// A reply that closes the connection; `headers` end with their line breaks.
pub(crate) fn http_reply(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    let framing = format!("content-length: {length}\r\n{headers}connection: close");
    format!("HTTP/1.1 {status} X\r\n{framing}\r\n\r\n{body}")
}

// === impl GrpcPeer ===

impl GrpcPeer {
    /// Starts with the server as a whole serving.
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (reporter, service) = tonic_health::server::health_reporter();
        let incoming = runtime.block_on(async {
            let any = "127.0.0.1:0".parse().unwrap();
            tonic::transport::server::TcpIncoming::bind(any).unwrap()
        });
        let address = incoming.local_addr().unwrap();
        let server = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(server.serve_with_incoming(incoming));
        Self { address, runtime, reporter }
    }

    /// What it says of the service from now on; of the server as a whole when that is empty.
    pub(crate) fn set(&self, service: &str, serving: bool) {
        let status = if serving {
            tonic_health::ServingStatus::Serving
        } else {
            tonic_health::ServingStatus::NotServing
        };
        self.runtime.block_on(self.reporter.set_service_status(service, status));
    }
}
