//! One connection over QUIC: streams in, replies out, as long as something happens.

use std::{pin::pin, sync::Arc, time::Duration};

use quinn::{Connection, ConnectionError, Incoming, RecvStream, SendStream, ServerConfig};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    code,
    question::{self, Fault},
};
use crate::{
    dns::{
        stats::HandshakeFault,
        tcp::{NoReply, Room, Visit},
        tls::handshake_failed,
    },
    util::Place,
};

/// How long a connection may take to end when the server stops, for replies that are made.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// What the streams of a connection share.
struct Desk {
    visit: Visit,
    room: Room,
}

/// A mistake for which the connection is closed.
type Fatal = &'static str;

/// Serves a connection until its client, a timeout or the stop ends it.
pub(super) async fn serve(
    incoming: Incoming,
    config: Arc<ServerConfig>,
    visit: Visit,
    handshaking: Option<Place>,
) {
    let (shared, who) = (Arc::clone(&visit.shared), (visit.transport, visit.client));
    let patience = shared.limits.load().handshake_timeout;
    let connecting = match incoming.accept_with(config) {
        Ok(connecting) => connecting,
        Err(error) => return handshake_failed(&shared.stats, who, HandshakeFault::Tls, error),
    };
    let shaken = tokio::select! {
        shaken = timeout(patience, connecting) => shaken,
        () = shared.stop.cancelled() => return,
    };
    drop(handshaking);
    match shaken {
        Ok(Ok(connection)) => attend(connection, visit).await,
        Ok(Err(error)) => handshake_failed(&shared.stats, who, HandshakeFault::Tls, error),
        Err(late) => handshake_failed(&shared.stats, who, HandshakeFault::TimedOut, late),
    }
}

/// Lets a connection go on until it ends or should.
async fn attend(connection: Connection, visit: Visit) {
    let desk = Arc::new(Desk { visit, room: Room::new() });
    let shared = &desk.visit.shared;
    let mut streams: JoinSet<Result<(), Fatal>> = JoinSet::new();
    let idle_from_now = || desk.visit.after(desk.visit.limits().idle_timeout);
    let mut alarm = pin!(sleep_until(idle_from_now()));
    loop {
        tokio::select! {
            accepted = connection.accept_bi() => match accepted {
                Ok((send, receive)) => {
                    alarm.as_mut().reset(idle_from_now());
                    streams.spawn(Arc::clone(&desk).answer(send, receive));
                }
                Err(error) => {
                    if error == ConnectionError::TimedOut {
                        shared.stats.time_out_connection(desk.visit.transport);
                    }
                    return;
                }
            },
            Some(done) = streams.join_next() => {
                alarm.as_mut().reset(idle_from_now());
                if let Ok(Err(fatal)) = done {
                    return connection.close(code::PROTOCOL_ERROR, fatal.as_bytes());
                }
            }
            // A client that says nothing but that it is there keeps QUIC's own timer from ringing.
            () = alarm.as_mut() => {
                if streams.is_empty() {
                    shared.stats.time_out_connection(desk.visit.transport);
                    return connection.close(code::NO_ERROR, b"idle");
                }
                alarm.as_mut().reset(idle_from_now());
            }
            () = shared.stop.cancelled() => break,
        }
    }
    finish(&connection, streams, desk.visit.after(CLOSING_TIMEOUT)).await;
}

/// Answers what has been asked by the time the server stops.
async fn finish(connection: &Connection, mut streams: JoinSet<Result<(), Fatal>>, by: Instant) {
    let all = async { while streams.join_next().await.is_some() {} };
    let _late = tokio::time::timeout_at(by, all).await;
    connection.close(code::NO_ERROR, b"the server stops");
}

/// Sends a reply behind its length, and waits until the client has all of it: what is merely
/// handed to QUIC is lost when the connection is closed. What is gone meanwhile is the client's
/// business.
async fn write(send: &mut SendStream, reply: &[u8]) {
    let length = u16::try_from(reply.len()).expect("no reply is longer");
    let written = async {
        send.write_all(&length.to_be_bytes()).await?;
        send.write_all(reply).await
    };
    if written.await.is_ok() && send.finish().is_ok() {
        let _stopped_or_gone = send.stopped().await;
    }
}

// === impl Desk ===

impl Desk {
    /// Answers the question of a stream.
    async fn answer(
        self: Arc<Self>,
        mut send: SendStream,
        mut receive: RecvStream,
    ) -> Result<(), Fatal> {
        let patience = self.visit.limits().idle_timeout;
        let message = match question::read(&mut receive, self.room.question(), patience).await {
            Ok(message) => message,
            Err(Fault::Protocol(problem)) => {
                // Dropped, it would end like that of a reply.
                let _gone = send.reset(code::PROTOCOL_ERROR);
                return Err(problem);
            }
            Err(fault) => {
                let code = match fault {
                    Fault::TooMuch => code::EXCESSIVE_LOAD,
                    _ => code::UNSPECIFIED_ERROR,
                };
                // A client that has cancelled a question wants no reply (RFC 9250 §4.3.1).
                let _gone = receive.stop(code);
                let _gone = send.reset(code);
                return Ok(());
            }
        };
        let reply = tokio::select! {
            reply = self.visit.reply(&message, &self.room) => reply,
            _cancelled = send.stopped() => return Ok(()),
        };
        drop(message);
        let code = match reply {
            Ok((reply, _room)) => {
                // A client that takes nothing for so long does not get the rest: dropped, the
                // stream would end as if it were whole.
                if timeout(patience, write(&mut send, &reply)).await.is_ok() {
                    return Ok(());
                }
                code::UNSPECIFIED_ERROR
            }
            Err(NoReply::NotAQuery) => {
                let _gone = send.reset(code::PROTOCOL_ERROR);
                return Err("a message that is no query");
            }
            Err(NoReply::Failed) => code::INTERNAL_ERROR,
            Err(NoReply::TooMuch) => code::EXCESSIVE_LOAD,
        };
        let _gone = send.reset(code);
        Ok(())
    }
}
