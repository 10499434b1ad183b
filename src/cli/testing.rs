//! For tests: an HTTP server with canned replies, and an output to look into.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{client::Client, output::Output};

/// A server that gives its replies in their order, one a connection, all at revision 7, and notes
/// what was asked.
pub(super) struct Stub {
    pub url: String,
    requests: Arc<Mutex<Vec<Seen>>>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub line: String,
    pub body: String,
}

/// A sink that can be read while it is written to.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

// === impl Stub ===

impl Stub {
    /// Starts one; after its last reply it is gone.
    pub(super) async fn replying(replies: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            for (status, body) in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                seen.lock().push(request);
                let length = body.len();
                let reply = format!(
                    "HTTP/1.1 {status} Stub\r\ncontent-length: {length}\r\n\
                     x-rollcall-revision: 7\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        Self { url, requests }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&self.url, Duration::from_secs(5)).unwrap()
    }

    /// What was asked so far.
    pub(super) fn requests(&self) -> Vec<Seen> {
        self.requests.lock().clone()
    }

    /// The request lines without their version.
    pub(super) fn asked(&self) -> Vec<String> {
        let line = |seen: Seen| seen.line.trim_end_matches(" HTTP/1.1").to_owned();
        self.requests().into_iter().map(line).collect()
    }
}

async fn read_request(stream: &mut TcpStream) -> Seen {
    let mut octets = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                let line = head.lines().next().unwrap().to_owned();
                return Seen { line, body: body.to_owned() };
            }
        }
        assert!(stream.read_buf(&mut octets).await.unwrap() > 0, "closed in the middle");
    }
}

// === impl Buffer ===

impl Buffer {
    pub(super) fn output(&self, json: bool) -> Output {
        Output::to(self.clone(), json)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
