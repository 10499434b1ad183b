//! One round: its zones in all four servers, its questions to all of them, and the comparison.

use std::net::SocketAddr;

use super::{
    compare::{Case, Told},
    exchange,
    question::Question,
    reply::Reply,
    server::{PEERS, Peer, file_name},
    tally::Tally,
    zone::World,
};
use crate::support::Node;

/// Questions to each world.
const QUESTIONS: usize = 200;

/// Worlds and the questions to them.
pub(crate) struct Round {
    worlds: Vec<World>,
    /// Each with the place of its world.
    questions: Vec<(usize, Question)>,
    seed: u64,
}

// === impl Round ===

impl Round {
    /// The round of this seed.
    pub(crate) fn random(seed: u64, cases: usize) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut worlds, mut questions) = (Vec::new(), Vec::new());
        while questions.len() < cases {
            let world = World::random(worlds.len(), &mut rng);
            let count = QUESTIONS.min(cases - questions.len());
            let asked = (0..count).map(|_| (worlds.len(), Question::random(&world, &mut rng)));
            questions.extend(asked);
            worlds.push(world);
        }
        Self { worlds, questions, seed }
    }

    /// Puts the questions to all, and what came of it into `tally`.
    pub(crate) fn run(&self, tally: &mut Tally) {
        let mut peers = PEERS.map(|program| Peer::start(program, &self.worlds));
        let zones = self.worlds.iter().flat_map(|world| &world.zones);
        let with = |node: crate::support::node::Builder, zone: &super::zone::Zone| {
            node.zone(&file_name(&zone.origin), &zone.to_string())
        };
        let node = zones.fold(Node::builder(), with).start();
        peers.iter_mut().for_each(|peer| peer.wait_until_loaded(&self.worlds));
        let [nsd, knot, bind] = peers.each_ref().map(|peer| peer.dns);
        let [nsd, knot, bind, ours] = std::thread::scope(|scope| {
            let servers = [nsd, knot, bind, node.dns[0]];
            let asking = servers.map(|server| scope.spawn(move || self.ask(server)));
            asking.map(|asking| asking.join().expect("the server answers all questions"))
        });
        let beyond = self.ask_beyond(node.dns[0], &ours);
        let told = nsd.into_iter().zip(knot).zip(bind).zip(ours.into_iter().zip(beyond));
        for ((world, question), (((nsd, knot), bind), (ours, beyond))) in
            self.questions.iter().zip(told)
        {
            let (world, peers) = (&self.worlds[*world], [nsd, knot, bind]);
            let case = Case { world, question, peers, ours, beyond };
            tally.add(self.seed, &case);
        }
    }

    /// What a server says to all questions.
    fn ask(&self, server: SocketAddr) -> Vec<Told> {
        let questions = || self.questions.iter().map(|(_, question)| question);
        let of = |tcp| questions().filter(|question| question.tcp == tcp).collect::<Vec<_>>();
        let mut udp = exchange::udp(server, &of(false)).unwrap().into_iter();
        let mut tcp = exchange::tcp(server, &of(true)).unwrap().into_iter();
        let first: Vec<Reply> = questions()
            .map(|question| read(if question.tcp { tcp.next() } else { udp.next() }, question))
            .collect();
        let cut = questions().zip(&first).filter(|(_, first)| first.is_truncated());
        let again: Vec<&Question> = cut.map(|(question, _)| question).collect();
        let mut again = exchange::tcp(server, &again).unwrap().into_iter();
        let told = questions().zip(first).map(|(question, first)| {
            let whole = first.is_truncated().then(|| read(again.next(), question));
            Told { first, whole }
        });
        told.collect()
    }

    /// What Rollcall says of the names at which chains of aliases have left their zone.
    fn ask_beyond(&self, server: SocketAddr, ours: &[Told]) -> Vec<Option<Reply>> {
        let departures = self.questions.iter().zip(ours).map(|((world, question), told)| {
            let (_, target) = told.departure(question, &self.worlds[*world])?;
            Some(question.of(target))
        });
        let departures: Vec<Option<Question>> = departures.collect();
        let questions: Vec<&Question> = departures.iter().flatten().collect();
        let mut replies = exchange::tcp(server, &questions).unwrap().into_iter();
        let replies = departures
            .iter()
            .map(|question| question.as_ref().map(|question| read(replies.next(), question)));
        replies.collect()
    }
}

fn read(octets: Option<Vec<u8>>, question: &Question) -> Reply {
    let octets = octets.expect("there is a reply to each question");
    let why = |fault| panic!("{fault}: {question}: {}", octets.escape_ascii());
    Reply::read(&octets).unwrap_or_else(why)
}
