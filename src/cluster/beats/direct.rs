//! The direct way: a server's HTTP interface, over a connection that is kept.

use std::{collections::HashMap, error::Error, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use super::{outbox::Waiting, relay, ways::Handed};
use crate::{
    cluster::Roster,
    model::Timestamp,
    registry::{Ownership, Peer, ServerId},
    store::text::BeatsTakenText,
    util::Clock,
};

/// The path of the other side's HTTP interface.
const PATH: &str = "/internal/v1/beats";

/// How long a batch may take: connecting, what the other side does, and its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Octets of an answer: the places of all heartbeats of a batch, and more.
const ANSWER_OCTETS_MAX: usize = 256 << 10;

/// Connections to other servers; clones share them.
#[derive(Clone)]
pub(super) struct Direct {
    me: ServerId,
    ownership: Ownership,
    roster: watch::Receiver<Roster>,
    clock: Clock,
    lines: Arc<Mutex<HashMap<ServerId, Line>>>,
}

/// What is known of the way to one server, between two requests.
#[derive(Default)]
struct Line {
    open: Option<Open>,
    /// What it wants to be shown. Kept when its row is gone: that may come back, as when etcd was
    /// away, and it is asked until its death is believed.
    token: Option<String>,
}

/// A connection.
struct Open {
    sender: SendRequest<Full<Bytes>>,
    /// Where it leads.
    to: String,
}

/// Why a request came to nothing.
type Fault = Box<dyn Error + Send + Sync>;

// === impl Direct ===

impl Direct {
    pub(super) fn new(
        me: ServerId,
        ownership: Ownership,
        roster: watch::Receiver<Roster>,
        clock: Clock,
    ) -> Self {
        Self { me, ownership, roster, clock, lines: Arc::default() }
    }

    /// Has a server take a batch.
    ///
    /// # Errors
    /// When it has not said that it did: why.
    pub(super) async fn hand(&self, to: &Peer, batch: &[Waiting]) -> Result<Handed, String> {
        let until = Instant::now() + PATIENCE;
        let now = Timestamp(self.clock.wall_millis());
        let body = relay::json(&self.me, self.ownership.circle(), (batch, Some(now)));
        let body = Bytes::from(body);
        let octets = body.len();
        let mut line = self.lines.lock().remove(&to.id).unwrap_or_default();
        if let Some(token) = self.token(&to.id) {
            line.token = Some(token);
        }
        let said = line.ask(to, body, until).await;
        self.lines.lock().insert(to.id.clone(), line);
        Ok(Handed { said: said?, octets })
    }

    /// Closes the connection to a server that is gone.
    pub(super) fn forget(&self, server: &ServerId) {
        self.lines.lock().remove(server);
    }

    fn token(&self, id: &ServerId) -> Option<String> {
        let roster = self.roster.borrow();
        Some(roster.servers.get(id)?.row.as_ref()?.token.clone())
    }
}

// === impl Line ===

impl Line {
    /// Asks by the connection that there is, or else at one address after the other: behind one of
    /// them may be somebody else.
    async fn ask(
        &mut self,
        to: &Peer,
        body: Bytes,
        until: Instant,
    ) -> Result<BeatsTakenText, String> {
        let token = self.token.clone().ok_or("its row in etcd says no token")?;
        if let Some(open) = self.open.take().filter(|open| to.http.contains(&open.to)) {
            match timeout_at(until, open.ask(&token, body.clone())).await {
                Ok(Ok((open, said))) => {
                    self.open = Some(open);
                    return Ok(said);
                }
                // It closes what was idle for long; that says nothing of whether it is there.
                Ok(Err(_)) => {}
                Err(_) => return Err(Self::silence(&to.http)),
            }
        }
        let mut causes = Vec::new();
        for (index, address) in to.http.iter().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(to.http.len() - index).unwrap_or(u32::MAX);
            let asked = async { open(address).await?.ask(&token, body.clone()).await };
            match timeout(share, asked).await {
                Ok(Ok((open, said))) => {
                    self.open = Some(open);
                    return Ok(said);
                }
                Ok(Err(fault)) => causes.push(format!("{address}: {}", shown(&*fault))),
                Err(_) => causes.push(Self::silence(std::slice::from_ref(address))),
            }
        }
        match causes.is_empty() {
            true => Err("its row in etcd says no address".to_owned()),
            false => Err(causes.join("; ")),
        }
    }

    fn silence(addresses: &[String]) -> String {
        format!("{}: no answer", addresses.join(", "))
    }
}

// === impl Open ===

impl Open {
    /// Sends a batch and reads the answer.
    async fn ask(mut self, token: &str, body: Bytes) -> Result<(Self, BeatsTakenText), Fault> {
        self.sender.ready().await?;
        let request = Request::post(PATH)
            .header(HOST, &self.to)
            .header(USER_AGENT, concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), ANSWER_OCTETS_MAX).collect().await?;
        if status != StatusCode::OK {
            // What it says in full is for people, and may be anything.
            return Err(format!("it answers {status}").into());
        }
        let said = serde_json::from_slice(&answer.to_bytes());
        Ok((self, said.map_err(|error| format!("an answer that cannot be read: {error}"))?))
    }
}

async fn open(address: &str) -> Result<Open, Fault> {
    let stream = TcpStream::connect(address).await?;
    // A batch is written at once, and waits for nothing.
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender, or when the other side closes it.
    tokio::spawn(connection);
    Ok(Open { sender, to: address.to_owned() })
}

/// An error with its causes: hyper's own says little.
fn shown(mut error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    while let Some(cause) = error.source() {
        text = format!("{text}: {cause}");
        error = cause;
    }
    text
}

/// Tokens are nobody's business.
impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("me", &self.me).finish_non_exhaustive()
    }
}
