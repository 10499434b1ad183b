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
        Ok(Self { stream, request: String::new(), line: String::new(), body: Vec::new() })
    }

    /// Sends a request and returns the status of its reply, whose body it takes off the wire.
    ///
    /// # Errors
    /// When there is no reply, or one that is not understood.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> Result<u16> {
        let octets = body.len();
        self.request.clear();
        self.request.extend([method, " ", path, " HTTP/1.1\r\nhost: bench\r\ncontent-length: "]);
        self.request.extend([octets.to_string().as_str(), "\r\n\r\n", body]);
        self.stream.get_mut().write_all(self.request.as_bytes()).context("sending")?;
        let status = self.read_line()?.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.context("the reply has no status")?;
        let mut length = 0;
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("content-length")?;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).context("reading the body")?;
        Ok(status)
    }

    /// The body of the last reply.
    pub(crate) fn body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn read_line(&mut self) -> Result<&str> {
        self.line.clear();
        let octets = self.stream.read_line(&mut self.line).context("reading a reply")?;
        anyhow::ensure!(octets > 0, "the server has closed the connection");
        Ok(self.line.trim_end())
    }
}
