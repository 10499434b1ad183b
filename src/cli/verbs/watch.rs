//! `rollcall watch`: prints what happens, as it happens, and goes on after an interruption.

use std::time::Duration;

use clap::Args;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::cli::{
    client::{Client, Path},
    exit::Failure,
    output::{Output, printable},
    reply,
    sse::{Event, EventReader},
    table,
};

/// The shortest and the longest pause before a connection is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// The longest silence that is believed: three times that after which the server says that it is
/// still there.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// What is watched, and from when.
#[derive(Debug, Args)]
pub(in crate::cli) struct WatchArgs {
    /// Only this service
    service: Option<String>,
    /// Begin with what happened after this revision [default: now]
    #[arg(long, value_name = "REVISION")]
    since: Option<u64>,
}

/// A watch, with where it is.
struct Watch<'a> {
    client: &'a Client,
    service: Option<String>,
    since: Option<String>,
    /// Whether anything was ever received: before that, a failure is final.
    begun: bool,
    pause: Duration,
}

// === impl WatchArgs ===

impl WatchArgs {
    /// Prints events until there is nobody to print for, or the server refuses.
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut watch = Watch {
            client,
            service: self.service,
            since: self.since.map(|since| since.to_string()),
            begun: false,
            pause: PAUSES.0,
        };
        loop {
            match watch.connect().await {
                Ok(stream) => watch.print(stream, output).await?,
                Err(Failure::Unreachable(reason)) if watch.begun => {
                    tracing::debug!(reason, "the watch is interrupted");
                }
                Err(failure) => return Err(failure),
            }
            tokio::time::sleep(watch.pause).await;
            watch.pause = (watch.pause * 2).min(PAUSES.1);
        }
    }
}

// === impl Watch ===

impl Watch<'_> {
    async fn connect(&mut self) -> Result<Incoming, Failure> {
        let mut path = Path::new(&["watch"]);
        if let Some(service) = &self.service {
            path = path.query("service", service);
        }
        if let Some(since) = &self.since {
            path = path.query("since", since);
        }
        let stream = self.client.stream(&path).await?;
        self.begun = true;
        Ok(stream)
    }

    /// Prints a stream until it ends.
    async fn print(&mut self, mut stream: Incoming, output: &mut Output) -> Result<(), Failure> {
        let mut reader = EventReader::default();
        // An error and a silence end the stream as its end does: all are resumed.
        while let Ok(Some(Ok(frame))) = timeout(SILENCE_MAX, stream.frame()).await {
            let Ok(octets) = frame.into_data() else { continue };
            let events =
                reader.feed(&octets).map_err(|error| Failure::Negative(error.to_string()))?;
            self.pause = PAUSES.0;
            for event in events {
                output.line(&if output.json { event.data.clone() } else { line(&event) })?;
            }
            // After the events of the chunk are out: what is printed twice is better than never.
            if let Some(id) = reader.last_id() {
                self.since = Some(id.to_owned());
            }
        }
        Ok(())
    }
}

/// An event for a person.
fn line(event: &Event) -> String {
    let Ok(view) = serde_json::from_str::<reply::Event>(&event.data) else {
        return printable(&format!("{} {}", event.name, event.data));
    };
    if event.name == "reset" {
        let revision = view.revision;
        return format!("{revision} - reset: older events are lost; list again, it goes on here");
    }
    let mut line = format!("{} {} {} {}", view.revision, view.at, event.name, view.service);
    if let Some(instance) = &view.instance {
        line.push_str(&format!("/{instance}"));
    }
    if let (Some(from), Some(to)) = (&view.from, &view.to) {
        line.push_str(&format!(" {from} -> {to}"));
    }
    if view.suspect == Some(true) {
        line.push_str(" suspect");
    }
    // That somebody asked for it is what the event's name says already.
    if let Some(reason) = view.reason.as_deref().filter(|reason| *reason != event.name) {
        line.push_str(&format!(" {reason}"));
    }
    if let Some(output) = view.output.as_deref().filter(|output| !output.is_empty()) {
        line.push_str(&format!(": {}", table::beginning(output)));
    }
    printable(&line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::WatchArgs;
    use crate::cli::{
        exit::Failure,
        testing::{Buffer, Stub},
    };

    /// What the server sends of an event; the connection ends behind it.
    fn event(id: u64, name: &str, rest: &serde_json::Value) -> (u16, String) {
        let mut data = json!({"revision": id, "at": "2026-01-01T00:00:00Z", "service": "web"});
        for (key, value) in rest.as_object().unwrap() {
            data[key] = value.clone();
        }
        (200, format!(": hello\n\nid: {id}\nevent: {name}\ndata: {data}\n\n"))
    }

    fn watch(service: Option<&str>) -> WatchArgs {
        WatchArgs { service: service.map(Into::into), since: Some(3) }
    }

    /// Runs the watch until the stub, whose last reply is a refusal, has no more.
    async fn run(verb: WatchArgs, stub: &Stub, json: bool) -> (String, Failure) {
        let buffer = Buffer::default();
        let failure = verb.run(&stub.client(), &mut buffer.output(json)).await.unwrap_err();
        (buffer.text(), failure)
    }

    #[tokio::test]
    async fn an_interrupted_watch_goes_on_behind_the_last_event() {
        let gone = json!({"detail": "the events before revision 9 are no longer kept"});
        let page = format!("HTTP 503\n{}", "<p>x</p>\n".repeat(400));
        let status = json!({"instance": "w1", "from": "passing", "to": "critical",
                            "suspect": false, "output": page});
        let at_rest = |id: u64| (200, format!(": watching\nid: {id}\n\n"));
        let reset = "id: 8\nevent: reset\ndata: {\"revision\": 8}\n\n";
        let stub = Stub::replying(vec![
            at_rest(5),
            (200, reset.to_owned()),
            event(9, "status", &status),
            event(10, "deregistered", &json!({"instance": "w1", "reason": "expired"})),
            event(11, "deregistered", &json!({"instance": "w2", "reason": "deregistered"})),
            (410, gone.to_string()),
        ])
        .await;
        let (text, failure) = run(watch(Some("web")), &stub, false).await;
        assert_eq!(
            text,
            "8 - reset: older events are lost; list again, it goes on here\n\
             9 2026-01-01T00:00:00Z status web/w1 passing -> critical: HTTP 503 <p>x</p> \
             <p>x</p> <p>x</p> <p>x</p> <p>x</p> <p>x</p> <p>x</p> <p>x</p…\n\
             10 2026-01-01T00:00:00Z deregistered web/w1 expired\n\
             11 2026-01-01T00:00:00Z deregistered web/w2\n"
        );
        assert_eq!(failure.code(), 1);
        let asked = |since: u64| format!("GET /api/v1/watch?service=web&since={since}");
        assert_eq!(stub.asked(), [3, 5, 8, 9, 10, 11].map(asked));
    }

    #[tokio::test]
    async fn json_is_a_line_of_data_an_event() {
        let replies = vec![event(4, "policy", &json!({"unheard": 1})), (410, String::new())];
        let stub = Stub::replying(replies).await;
        let (text, _) = run(watch(None), &stub, true).await;
        let data: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!((&data["revision"], &data["unheard"]), (&json!(4), &json!(1)));
        assert_eq!(text.lines().count(), 1);
    }

    #[tokio::test]
    async fn a_server_that_was_never_there_is_unreachable() {
        let stub = Stub::replying(vec![(204, String::new())]).await;
        stub.client().send(hyper::Method::GET, &super::Path::new(&[]), None).await.unwrap();
        let (text, failure) = run(watch(None), &stub, false).await;
        assert_eq!((text.as_str(), failure.code()), ("", 69));
    }
}
