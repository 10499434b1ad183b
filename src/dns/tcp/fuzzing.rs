//! A connection that any octets come on, in any pieces: each message is answered once, in order but
//! for those that take long, and nothing else is said.

use std::{
    cell::LazyCell,
    net::TcpStream,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::{Builder, Runtime},
    task::yield_now,
};

use super::{Connection, Shared, Visit, testing::shared};
use crate::{
    dns::{
        Caller, Transport,
        answer::TCP_REPLY_OCTETS_MAX,
        full::{Responded, respond},
        fuzzing::world::{self, WORLD},
        query::HEADER_OCTETS,
    },
    registry::{Loaded, Options, testing},
};

/// Octets in front of the stream: the chance by which it is cut into pieces.
const SEED_OCTETS: usize = 2;

/// Octets of the longest piece; most are shorter than a message.
const PIECE_OCTETS_MAX: usize = 64;

/// What connections need, made once for each thread.
struct Server {
    runtime: Runtime,
    shared: Arc<Shared>,
}

thread_local! {
    static SERVER: LazyCell<Server> = const { LazyCell::new(Server::start) };
}

/// A message that is answered: what its reply says of itself, and whether it takes long.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    says: Says,
    takes_long: bool,
}

/// Number, code and question of a reply. The rest is chance's.
type Says = ([u8; 2], u8, Vec<u8>);

/// Sends the octets behind the first two to a connection, in pieces that these two decide, and
/// reads what it replies until it closes.
///
/// # Panics
/// When a message has no reply, or more than one, or one that may not be sent.
pub fn framing(octets: &[u8]) {
    let Some((seed, stream)) = octets.split_first_chunk::<SEED_OCTETS>() else { return };
    SERVER.with(|server| {
        let expected = server.expected(stream);
        let replied = server.runtime.block_on(server.converse(u16::from_be_bytes(*seed), stream));
        let mut replies = messages(&replied);
        let said: Vec<Says> = replies.by_ref().map(says).collect();
        assert!(replies.rest.is_empty(), "the last reply is cut");
        compare(expected, said);
    });
}

// === impl Server ===

impl Server {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let registry = runtime.block_on(async {
            let loaded = Loaded { members: world::members(), ..Loaded::default() };
            let options = Options { index_addresses: true, ..Options::default() };
            testing::run(testing::Kept::holding(loaded), options).registry
        });
        let shared = runtime.block_on(async { shared(registry, WORLD.settings.clone()) });
        Self { runtime, shared: Arc::new(shared) }
    }

    /// The octets that a connection replies to those of `stream`.
    async fn converse(&self, seed: u16, stream: &[u8]) -> Vec<u8> {
        let (client, server) = UnixStream::pair().expect("two sockets");
        for end in [&client, &server] {
            end.set_nonblocking(true).expect("it is a socket");
        }
        // To read and write, one stream is as good as another.
        let server = TcpStream::from(OwnedFd::from(server));
        let client = tokio::net::UnixStream::from_std(client).expect("it does not block");
        let (mut read, mut write) = client.into_split();
        let server = tokio::net::TcpStream::from_std(server).expect("it does not block");
        let pen = self.shared.runners.next().pen(Transport::Tcp);
        let address = world::caller(Transport::Tcp, false).client;
        let visit = Visit::begin(&self.shared, Transport::Tcp, address, pen);
        let served = Connection::new(visit.expect("it is the only one")).serve(server);
        let mut pieces = fastrand::Rng::with_seed(seed.into());
        let written = async {
            let mut rest = stream;
            while !rest.is_empty() {
                let (piece, more) =
                    rest.split_at(pieces.usize(1..=PIECE_OCTETS_MAX).min(rest.len()));
                // Whoever closes has said what it will say.
                if write.write_all(piece).await.is_err() {
                    break;
                }
                if pieces.bool() {
                    yield_now().await;
                }
                rest = more;
            }
            drop(write);
        };
        let mut replied = Vec::new();
        let ((), (), read) = tokio::join!(served, written, read.read_to_end(&mut replied));
        read.expect("it is closed in order");
        replied
    }

    /// What is to be replied to the whole messages of `stream`.
    fn expected(&self, stream: &[u8]) -> Vec<Expected> {
        let mut view = self.shared.world.view();
        let sources = view.load();
        let caller = world::caller(Transport::Tcp, false);
        let tell = |caller: Caller, message: &[u8]| {
            let (mut rng, mut out) = (world::rng(), vec![0; TCP_REPLY_OCTETS_MAX]);
            let responded = respond(&sources, caller, message, &mut rng, &mut out);
            match responded {
                Responded::Limited | Responded::Silence => Ok(None),
                Responded::NeedsForward => unreachable!("nothing is forwarded"),
                Responded::TakesLong => Err(()),
                Responded::With(replied) => Ok(Some(says(&out[..replied.summary.octets]))),
            }
        };
        let told = messages(stream).filter_map(|message| {
            let (told, takes_long) = match tell(caller, message) {
                Ok(told) => (told, false),
                Err(()) => (tell(caller.unhurried(), message).expect("it may"), true),
            };
            told.map(|says| Expected { says, takes_long })
        });
        told.collect()
    }
}

/// Takes from what was said first what had to be said in order, then what took long.
fn compare(expected: Vec<Expected>, mut said: Vec<Says>) {
    let (long, short): (Vec<_>, Vec<_>) = expected.into_iter().partition(|one| one.takes_long);
    let mut from = 0;
    for one in short {
        let place = said[from..].iter().position(|says| *says == one.says);
        let place = from + place.unwrap_or_else(|| panic!("no {one:?} in order in {said:?}"));
        said.remove(place);
        from = place;
    }
    for one in long {
        let place = said.iter().position(|says| *says == one.says);
        said.swap_remove(place.unwrap_or_else(|| panic!("no {one:?} in {said:?}")));
    }
    assert!(said.is_empty(), "nobody asked for {said:?}");
}

/// What a reply says of itself. The target `request` looks at the whole of it, which takes long.
fn says(reply: &[u8]) -> Says {
    let (header, body) = reply.split_at(HEADER_OCTETS);
    let labels =
        |at: &usize| body.get(*at).filter(|&&length| length > 0).map(|&l| at + 1 + usize::from(l));
    let end = std::iter::successors(Some(0), labels).last().unwrap_or_default();
    let question = if header[5] == 0 { &[] } else { &body[..end + 5] };
    ([header[0], header[1]], header[3] & 0x0F, question.to_vec())
}

/// The messages of a stream, each behind its length (RFC 1035 §4.2.2).
fn messages(stream: &[u8]) -> Messages<'_> {
    Messages { rest: stream }
}

struct Messages<'s> {
    rest: &'s [u8],
}

impl<'s> Iterator for Messages<'s> {
    type Item = &'s [u8];

    fn next(&mut self) -> Option<&'s [u8]> {
        let (length, more) = self.rest.split_first_chunk()?;
        let (message, more) = more.split_at_checked(u16::from_be_bytes(*length).into())?;
        self.rest = more;
        Some(message)
    }
}
