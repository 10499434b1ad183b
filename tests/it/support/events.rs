//! A client of the event stream: server-sent events as the specification of the browsers has them.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use super::{PATIENCE, raw};

/// An open stream. Its `Last-Event-ID` moves as a browser's does.
pub(crate) struct Events {
    lines: BufReader<TcpStream>,
    /// The last id that was dispatched.
    pub(crate) last_id: String,
    rest: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) event: String,
    pub(crate) id: Option<u64>,
    pub(crate) data: Value,
}

// === impl Events ===

impl Events {
    /// Opens the stream and waits until the server watches, so that nothing that is done after it
    /// can be missed.
    pub(crate) fn open(address: SocketAddr, query: &str, last_id: Option<&str>) -> Self {
        let mut stream = raw::connect(address);
        let last = last_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        // HTTP/1.0, so that the stream comes as it is and not in chunks.
        let head = format!("GET /api/v1/watch{query} HTTP/1.0\r\nhost: {address}\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{line}");
        let mut is_stream = false;
        while line.trim_end() != "" {
            line.clear();
            lines.read_line(&mut line).unwrap();
            is_stream |= line.to_ascii_lowercase().starts_with("content-type: text/event-stream");
        }
        assert!(is_stream);
        Self { lines, last_id: last_id.unwrap_or_default().to_owned(), rest: String::new() }
    }

    /// The next event, comments left out.
    pub(crate) fn next(&mut self) -> Message {
        self.try_next().expect("the stream goes on")
    }

    /// The next event, or `None` at the end of the stream.
    pub(crate) fn try_next(&mut self) -> Option<Message> {
        let mut message = Message { event: String::new(), id: None, data: Value::Null };
        let start = std::time::Instant::now();
        loop {
            // Comments that keep the stream alive are no events.
            assert!(start.elapsed() < 2 * PATIENCE, "no event in time");
            self.rest.clear();
            // A timeout of the socket is a failure, the end of the stream is not.
            if self.lines.read_line(&mut self.rest).expect("an event in time") == 0 {
                return None;
            }
            let line = self.rest.trim_end_matches(['\r', '\n']);
            match line.split_once(':') {
                None if line.is_empty() => {
                    if let Some(id) = message.id {
                        self.last_id = id.to_string();
                    }
                    if !message.event.is_empty() {
                        return Some(message);
                    }
                    message.id = None; // it came with a comment
                }
                Some(("event", value)) => value.trim_start().clone_into(&mut message.event),
                Some(("id", value)) => message.id = Some(value.trim().parse().unwrap()),
                Some(("data", value)) => message.data = serde_json::from_str(value).unwrap(),
                _ => {}
            }
        }
    }

    /// Reads on until an event is the one that is waited for.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.next();
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Reads on until the instance's state is `to`.
    pub(crate) fn until_status(&mut self, instance: &str, to: &str) -> Message {
        self.until(|m| m.event == "status" && m.data["instance"] == instance && m.data["to"] == to)
    }
}
