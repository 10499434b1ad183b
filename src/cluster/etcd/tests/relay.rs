//! A way to an etcd that can be cut and stalled.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::cluster::testing::PATIENCE;

/// What becomes of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The number tells connections from those before somebody hung up.
    Open(u32),
    Stalled,
    Cut,
}

/// Takes connections on a port of its own and passes them on.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) url: String,
    way: watch::Sender<Way>,
    /// How often something came that was held back.
    held: watch::Sender<u32>,
}

impl Relay {
    /// To the etcd at this endpoint.
    pub(super) async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let to: Arc<str> = url.strip_prefix("http://").unwrap().into();
        let (way, seen) = watch::channel(Way::Open(0));
        let held = watch::Sender::new(0);
        let note = held.clone();
        tokio::spawn(async move {
            let mut end = seen.clone();
            loop {
                let (stream, _) = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap(),
                    // Nobody listens any more.
                    _ = end.wait_for(|way| *way == Way::Cut) => return,
                };
                let (to, seen, note) = (Arc::clone(&to), seen.clone(), note.clone());
                tokio::spawn(async move {
                    let on = TcpStream::connect(&*to).await.unwrap();
                    let ((from_client, to_client), (from_etcd, to_etcd)) =
                        (stream.into_split(), on.into_split());
                    tokio::spawn(pass(from_etcd, to_client, seen.clone(), note.clone()));
                    pass(from_client, to_etcd, seen, note).await;
                });
            }
        });
        Self { url: format!("http://{own}"), way, held }
    }

    /// Ends all connections, and takes new ones.
    pub(super) fn hang_up(&self) {
        self.way.send_modify(|way| {
            if let Way::Open(number) = way {
                *number += 1;
            }
        });
    }

    /// From now on nothing comes through, and nobody is told.
    pub(super) fn stall(&self) {
        self.way.send_replace(Way::Stalled);
    }

    /// What comes of a call that is held back here: once it is, the clock goes on by `time`.
    pub(super) async fn hold<T>(&self, time: Duration, call: impl Future<Output = T>) -> T {
        let mut held = self.held.subscribe();
        let skip = async {
            held.changed().await.unwrap();
            tokio::time::pause();
            tokio::time::advance(time).await;
            tokio::time::resume();
        };
        let both = async { tokio::join!(call, skip).0 };
        tokio::time::timeout(time + PATIENCE, both).await.expect("the call ends")
    }

    /// Ends all connections, and takes no more.
    pub(super) fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut seen: watch::Receiver<Way>,
    held: watch::Sender<u32>,
) {
    let mut octets = [0; 16_384];
    let begun = *seen.borrow();
    let is_over = |way: &Way| match (begun, *way) {
        (Way::Open(first), Way::Open(now)) => first != now,
        (_, way) => way == Way::Cut,
    };
    loop {
        let read = tokio::select! {
            read = from.read(&mut octets) => read,
            _ = seen.wait_for(is_over) => return,
        };
        let Ok(read) = read else { return };
        if *seen.borrow() == Way::Stalled {
            held.send_modify(|held| *held += 1);
        }
        if read == 0 || seen.wait_for(|way| *way != Way::Stalled).await.is_err() {
            return;
        }
        if is_over(&seen.borrow()) || to.write_all(&octets[..read]).await.is_err() {
            return;
        }
    }
}
