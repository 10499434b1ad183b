//! The smallest HTTP client that keeps its connection: the load must cost little on its own core.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};

/// How long a reply may take; a commit on a busy disk takes a while.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub(crate) struct Http {
    stream: BufReader<TcpStream>,
    /// What each request's head has besides, with the ends of its lines.
    head: String,
    request: String,
    line: String,
    body: Vec<u8>,
}

// === impl Http ===

impl Http {
    /// Connects to `server`.
    ///
    /// # Errors
    /// When it does not accept.
    pub(crate) fn to(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE).context("connecting")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let stream = BufReader::new(stream);
        let (head, request, line, body) = Default::default();
        Ok(Self { stream, head, request, line, body })
    }

    /// The same, that sends this line in each head.
    pub(crate) fn with_header(mut self, line: &str) -> Self {
        self.head.extend([line, "\r\n"]);
        self
    }

    /// Sends a request and returns the status of its reply, whose body it takes off the wire.
    ///
    /// # Errors
    /// When there is no reply, or one that is not understood.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> Result<u16> {
        let octets = body.len();
        self.request.clear();
        self.request.extend([method, " ", path, " HTTP/1.1\r\nhost: bench\r\n", &self.head]);
        self.request.extend(["content-length: ", &octets.to_string(), "\r\n\r\n", body]);
        self.stream.get_mut().write_all(self.request.as_bytes()).context("sending")?;
        let status = self.read_line()?.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.context("the reply has no status")?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("content-length")?;
            }
            is_chunked |= name.eq_ignore_ascii_case("transfer-encoding");
        }
        self.body.clear();
        self.read_more(length)?;
        while is_chunked {
            let length =
                usize::from_str_radix(self.read_line()?, 16).context("a chunk's length")?;
            self.read_more(length)?;
            self.read_line()?;
            is_chunked = length > 0;
        }
        Ok(status)
    }

    /// Octets of the last reply's body.
    pub(crate) fn octets(&self) -> usize {
        self.body.len()
    }

    /// The body of the last reply.
    pub(crate) fn body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn read_more(&mut self, octets: usize) -> Result<()> {
        let before = self.body.len();
        self.body.resize(before + octets, 0);
        self.stream.read_exact(&mut self.body[before..]).context("reading the body")
    }

    fn read_line(&mut self) -> Result<&str> {
        self.line.clear();
        let octets = self.stream.read_line(&mut self.line).context("reading a reply")?;
        anyhow::ensure!(octets > 0, "the server has closed the connection");
        Ok(self.line.trim_end())
    }
}
