//! Server-sent events, read from octets as they come (WHATWG HTML §9.2.6).

/// Octets of one event: far above what the API sends, so that a wrong server cannot fill us up.
const EVENT_OCTETS_MAX: usize = 1 << 20;

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    /// What happened; `message` when it does not say.
    pub name: String,
    /// Its data; lines are apart by line breaks.
    pub data: String,
}

/// What has come of the stream and is no whole event yet.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    id: Option<String>,
    last_id: Option<String>,
}

/// An event is larger than any that the API sends.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("an event of the stream is larger than the limit of {EVENT_OCTETS_MAX} octets")]
pub(super) struct TooLarge;

// === impl EventReader ===

impl EventReader {
    /// Takes what came, and gives the events that are whole by it.
    ///
    /// # Errors
    /// When an event is too large.
    pub(super) fn feed(&mut self, octets: &[u8]) -> Result<Vec<Event>, TooLarge> {
        let mut events = Vec::new();
        for &octet in octets {
            if octet != b'\n' {
                if self.line.len() + self.event.data.len() >= EVENT_OCTETS_MAX {
                    return Err(TooLarge);
                }
                self.line.push(octet);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            events.extend(self.take_line(line.trim_end_matches('\r')));
        }
        Ok(events)
    }

    /// What the stream is to be resumed after: the identifier of the last whole event, be it one
    /// without data, by which the server moves its clients on while nothing happens.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// One line; the empty one closes an event.
    fn take_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            let whole = std::mem::take(&mut self.has_data);
            if let Some(id) = self.id.take() {
                self.last_id = Some(id);
            }
            if event.name.is_empty() {
                event.name.push_str("message");
            }
            return whole.then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.id = Some(value.to_owned()),
            // Comments keep the connection open; `retry` is our own decision.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, EventReader};

    const STREAM: &str = ": hello\n\nid: 7\nevent: status\ndata: {\"a\":\ndata: 1}\n\n\
                          data:x\r\n\r\nid: 8\n\nid: 9\nevent: lost";

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.into(), data: data.into() }
    }

    #[test]
    fn events_are_the_same_however_the_octets_arrive() {
        let expected = [event("status", "{\"a\":\n1}"), event("message", "x")];
        for size in 1..STREAM.len() {
            let mut reader = EventReader::default();
            let chunks = STREAM.as_bytes().chunks(size);
            let events: Vec<_> = chunks.flat_map(|chunk| reader.feed(chunk).unwrap()).collect();
            assert_eq!(events, expected, "chunks of {size}");
            assert_eq!(reader.last_id(), Some("8"), "an event without data counts");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut reader = EventReader::default();
        assert!((0..2_000).any(|_| reader.feed(&[b'x'; 1_024]).is_err()));
    }
}
