//! The upstreams of a zone, and the way from one to the next.
//!
//! One is asked first; the next one is asked when that fails, or is silent for a while: who waits
//! for a lost packet would else wait for all of the timeout. The first answer counts.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hickory_resolver::proto::op::Message;

use super::{
    ForwardOrder,
    care::Care,
    failure::Failure,
    key::Key,
    race::{PATIENCE, Race},
    upstream::Upstream,
};

/// Upstreams that are asked one question at the most: with more, one that nobody can answer would
/// become many.
const ASKED_MAX: usize = 4;

/// Upstreams, in the order in which they are configured.
#[derive(Debug)]
pub(super) struct Group {
    upstreams: Box<[Arc<Upstream>]>,
    order: ForwardOrder,
    /// Questions that may be under way in all, to these and to others.
    attempts_max: usize,
}

// === impl Group ===

impl Group {
    pub(super) fn new(
        upstreams: Vec<Arc<Upstream>>,
        order: ForwardOrder,
        attempts_max: usize,
    ) -> Self {
        Self { upstreams: upstreams.into(), order, attempts_max }
    }

    /// Whether one of the upstreams is at this address, whatever its port.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.upstreams.iter().any(|it| it.spec().address.ip().to_canonical() == address)
    }

    /// Why none of the upstreams can be asked; nothing when one can.
    pub(super) fn trouble(&self) -> Option<Failure> {
        let mut worst = Failure::Loop;
        for upstream in &self.upstreams {
            worst = worst.max(upstream.health.trouble()?);
        }
        Some(worst)
    }

    /// Asks until one of the upstreams has answered.
    ///
    /// # Errors
    /// What tells most, when none has; `Busy` when as much is under way already as may be.
    pub(super) async fn ask(&self, key: &Key, care: &Care) -> Result<Message, Failure> {
        let mut waiting = self.in_order().into_iter().take(ASKED_MAX);
        let mut worst = self.trouble();
        let mut race = Race::new(key, care, self.attempts_max);
        loop {
            if let Some(next) = waiting.next() {
                race.enter(next)?;
            } else if race.is_over() {
                return Err(worst.unwrap_or(Failure::Down));
            }
            // The last one has all the time that it takes.
            let patience = if waiting.len() == 0 { Duration::MAX } else { PATIENCE };
            match tokio::time::timeout(patience, race.next()).await {
                Ok(Some(Ok(message))) => {
                    race.decide();
                    return Ok(message);
                }
                Ok(Some(Err(failure))) => worst = worst.max(Some(failure)),
                // A task of ours has panicked, or patience is at its end: on to the next.
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Those that can be asked, the first to be asked first.
    fn in_order(&self) -> Vec<Arc<Upstream>> {
        let mut usable: Vec<_> =
            self.upstreams.iter().filter(|upstream| upstream.health.is_up()).cloned().collect();
        if self.order == ForwardOrder::Random {
            fastrand::shuffle(&mut usable);
        }
        usable
    }
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, sync::Arc, time::Duration};

    use hickory_resolver::proto::op::Message;

    use super::{Care, Failure, ForwardOrder, Group};
    use crate::dns::forward::testing::{care, key, upstream};

    /// A group of upstreams that are there and say nothing.
    fn silent(sockets: &[UdpSocket], attempts_max: usize, care: &Care) -> Group {
        let upstream = |socket: &UdpSocket| upstream(socket.local_addr().unwrap(), care);
        let order = ForwardOrder::Sequential;
        Group::new(sockets.iter().map(upstream).collect(), order, attempts_max)
    }

    fn sockets<const N: usize>() -> [UdpSocket; N] {
        std::array::from_fn(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            // A packet that never comes fails the test, and does not hold it up for ever.
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            socket
        })
    }

    #[tokio::test]
    async fn above_the_limit_of_questions_nobody_is_asked() {
        let (sockets, care) = (sockets::<1>(), care());
        let group = Arc::new(silent(&sockets, 1, &care));
        let first = {
            let (group, care) = (Arc::clone(&group), care.clone());
            tokio::spawn(async move { group.ask(&key(b"\x01a\x00"), &care).await.map(drop) })
        };
        // It is under way as soon as its packet is there.
        let [socket] = sockets;
        let read = move || socket.recv(&mut [0; 512]).map(|_| socket);
        let socket = tokio::task::spawn_blocking(read).await.unwrap().unwrap();
        let told = group.ask(&key(b"\x01b\x00"), &care).await;
        assert_eq!(told.unwrap_err(), Failure::Busy);
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        // Its place is free again, and that of whoever asked.
        let answered = tokio::spawn(async move { group.ask(&key(b"\x01c\x00"), &care).await });
        tokio::task::spawn_blocking(move || answer(&socket, b"\x01c\x00")).await.unwrap();
        answered.await.unwrap().unwrap();
    }

    /// Answers the question for a name, and no other.
    fn answer(socket: &UdpSocket, name: &[u8]) {
        let mut packet = [0; 512];
        loop {
            let (octets, client) = socket.recv_from(&mut packet).unwrap();
            if packet[12..].starts_with(name) {
                let asked = Message::from_vec(&packet[..octets]).unwrap();
                let mut reply = asked.clone().into_response();
                reply.metadata.id = asked.metadata.id;
                reply.queries = asked.queries;
                socket.send_to(&reply.to_vec().unwrap(), client).unwrap();
                return;
            }
        }
    }

    #[tokio::test]
    async fn one_that_is_overtaken_twice_in_a_row_is_examined() {
        let (sockets, care) = (sockets::<2>(), care());
        let group = silent(&sockets, 100, &care);
        let [slow, quick] = sockets;
        for name in [b"\x01a\x00", b"\x01b\x00"] {
            let quick = quick.try_clone().unwrap();
            let answered = tokio::task::spawn_blocking(move || answer(&quick, name));
            group.ask(&key(name), &care).await.unwrap();
            answered.await.unwrap();
        }
        // The question that every server answers: NS of the root.
        let wait = move || {
            let mut packet = [0; 512];
            while !packet[12..].starts_with(b"\x00\x00\x02") {
                slow.recv(&mut packet).unwrap();
            }
        };
        tokio::task::spawn_blocking(wait).await.unwrap();
    }
}
