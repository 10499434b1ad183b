//! A real HTTP service to be registered and checked, whose health a test decides.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
};

/// Answers every request with one status until it is dropped; then its port is closed.
pub(crate) struct Backend {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    status: Arc<AtomicU16>,
    requests: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Backend {
    /// Starts on a free port of `ip`.
    pub(crate) fn start(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (status, requests) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let stopped = Arc::new(AtomicBool::new(false));
        let shared = (Arc::clone(&status), Arc::clone(&requests), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            let (status, requests, stopped) = shared;
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
                let Some(_request) = head.next() else { continue };
                // The rest of the head; a prober sends no body.
                let _headers = head.take_while(|line| !line.is_empty()).count();
                requests.fetch_add(1, Ordering::SeqCst);
                let status = status.load(Ordering::SeqCst);
                let reply = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: 3\r\nconnection: close\r\n\r\nhi\n"
                );
                let _gone = stream.write_all(reply.as_bytes());
            }
        });
        Self { address, status, requests, stopped, thread: Some(thread) }
    }

    /// Answers with this status from now on.
    pub(crate) fn set_status(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// How many requests it has answered.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Closes the port, like a process that died.
impl Drop for Backend {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the accept; when it fails the listener is gone already.
        let _woken = std::net::TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the backend's thread does not panic");
        }
    }
}
