//! Clients that ask one server by UDP, all the time.

use std::{
    io::ErrorKind,
    net::{IpAddr, UdpSocket},
    ops::Range,
    time::Duration,
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::RecordType,
};

use crate::{
    cluster::{
        ledger::{Key, Server, Shown, Sight},
        roster::of_address,
        scene::{Ends, Scene},
    },
    support::dns::{address, question},
};

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(4);

/// Asks a server for one service after the other, until everything ends.
pub(crate) fn run(scene: &Scene, server: Server, mut rng: fastrand::Rng) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(scene.servers[server].0).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let services = scene.roster.services();
    let mut id = rng.u16(..);
    while scene.pass(PAUSE, Ends::Everything) {
        let (service, keys) = &services[rng.usize(..services.len())];
        id = id.wrapping_add(1);
        let mut query =
            question(&format!("{service}.service.internal."), RecordType::A, Some(1232));
        query.metadata.id = id;
        let asked = scene.now();
        let reply = exchange(&socket, &query);
        let sight = Sight { server, asked, answered: scene.now() };
        match reply {
            Some(reply) => look(scene, sight, keys.clone(), &reply),
            None => scene.ledger().unanswered(server, asked, sight.answered),
        }
    }
}

/// The reply to a question; none when there is none in time, or nobody is there.
fn exchange(socket: &UdpSocket, query: &Message) -> Option<Message> {
    socket.send(&query.to_vec().unwrap()).ok()?;
    let mut buffer = [0; 1232];
    loop {
        match socket.recv(&mut buffer) {
            // To a question that was given up.
            Ok(_) if buffer[..2] != query.metadata.id.to_be_bytes() => {}
            Ok(length) => return Some(Message::from_vec(&buffer[..length]).expect("a message")),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Judges an answer, which tells of each instance of the service that is asked for.
fn look(scene: &Scene, sight: Sight, keys: Range<Key>, reply: &Message) {
    let mut ledger = scene.ledger();
    let code = reply.metadata.response_code;
    let is_unknown = code == ResponseCode::NXDomain;
    let addresses = reply.answers.iter().filter_map(|record| address(&record.data));
    let shown: Option<Vec<(Key, u32)>> = addresses.map(|ip| of_ip(ip, &keys)).collect();
    let (true, false, Some(shown)) =
        (is_unknown || code == ResponseCode::NoError, reply.metadata.truncation, shown)
    else {
        return ledger.tally.violation(|| format!("{sight:?}: {reply}"));
    };
    for key in keys {
        let what = match shown.iter().find(|(shown, _)| *shown == key) {
            Some((_, generation)) => Shown::As(*generation),
            None if is_unknown => Shown::Unknown,
            None => Shown::Hidden,
        };
        ledger.see(sight, key, what);
    }
}

/// Which of these instances an address is of.
fn of_ip(ip: IpAddr, keys: &Range<Key>) -> Option<(Key, u32)> {
    let IpAddr::V4(ip) = ip else { return None };
    of_address(ip).filter(|(key, _)| keys.contains(key))
}
