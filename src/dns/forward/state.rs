//! Forwarding at one moment: who is asked for what, who may ask, and what is known.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{
    cache::{Cache, Found, Told},
    care::Care,
    failure::Failure,
    group::Group,
    key::{Key, KeyRef},
    message::{Age, Kept, Limits},
};
use crate::dns::{guard::Networks, zone::Zones};

/// Forwarding, as it is configured now.
#[derive(Debug)]
pub struct Forward {
    pub(super) routes: Routes,
    /// Whether upstreams for all names are configured and none is known: the file that names them
    /// cannot be used, or names only this server.
    pub(super) lacks_upstreams: bool,
    pub(super) allow: Networks,
    pub(super) cache: Cache,
    /// What the cache was made with.
    pub(super) cache_terms: (u64, u32),
    pub(super) limits: Limits,
    pub(super) care: Care,
    pub(super) flights: Flights,
    pub(super) in_flight_max: usize,
    pub(super) in_flight_per_client_max: usize,
    /// Where names go that are to be fetched again; nothing when none are.
    pub(super) prefetch: Option<mpsc::Sender<Key>>,
}

/// Who is asked for which names.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_suffix: HashMap<Box<[u8]>, Arc<Group>>,
}

/// Who is asked for a name.
#[derive(Debug, Clone, Copy)]
pub(in crate::dns) struct Route<'f> {
    group: &'f Group,
    /// Octets of the zone's name; 1 for all names.
    pub octets: usize,
}

/// What the answer to a question is.
pub(super) type Outcome = Result<Arc<Kept>, Failure>;

type Flight = Shared<BoxFuture<'static, Outcome>>;

/// Questions that are under way; one that comes again meanwhile waits for the same answer. There
/// are only as many as may be under way upstream: one that may not be asked is over at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<Key, Flight>>>);

/// What is known of a question, for whoever writes the answer.
#[derive(Debug)]
pub(in crate::dns) enum Look {
    /// This.
    Known(Told),
    /// Nothing yet; somebody has to be asked.
    Missing(Option<Arc<Kept>>),
}

// === impl Routes ===

impl Routes {
    pub(super) fn new(routes: impl IntoIterator<Item = (Box<[u8]>, Arc<Group>)>) -> Self {
        Self { by_suffix: routes.into_iter().collect() }
    }

    /// Who is asked for `name`, lower-case wire labels: who is configured for the longest end of
    /// it.
    fn find(&self, name: &[u8]) -> Option<Route<'_>> {
        let mut rest = name;
        loop {
            if let Some(group) = self.by_suffix.get(rest) {
                return Some(Route { group, octets: rest.len() });
            }
            match rest.first() {
                Some(&length @ 1..) => rest = rest.get(1 + usize::from(length)..)?,
                _ => return None,
            }
        }
    }
}

// === impl Route ===

impl Route<'_> {
    /// Whether it is meant for this zone, and not for all names.
    pub(in crate::dns) fn is_for_a_zone(&self) -> bool {
        self.octets > 1
    }

    /// Whether a client is one of those who would be asked for it. That which all programs of this
    /// host have as their address is nobody's in particular.
    pub(in crate::dns) fn leads_back_to(&self, client: IpAddr) -> bool {
        let is_shared = client == Ipv4Addr::LOCALHOST || client == Ipv6Addr::LOCALHOST;
        !is_shared && self.group.has(client)
    }
}

// === impl Forward ===

impl Forward {
    /// Whether a client may ask for names that are not ours.
    #[inline]
    pub(in crate::dns) fn allows(&self, client: IpAddr) -> bool {
        self.allow.contains(client)
    }

    /// Who is asked for `name`.
    pub(in crate::dns) fn route(&self, name: &[u8]) -> Option<Route<'_>> {
        self.routes.find(name)
    }

    /// Whether names without a route would have one if the resolv.conf could be used.
    pub(in crate::dns) fn lacks_upstreams(&self) -> bool {
        self.lacks_upstreams
    }

    /// Whether `name` is one that we have sent out to see whether it comes back; it is noted.
    pub(in crate::dns) fn has_come_back(&self, name: &[u8]) -> bool {
        self.care.probes.is_out(name)
    }

    /// Which zone of special names `name` is in, if it is closer than any route, and than what a
    /// zone of ours delegates, whose name has `delegated` octets.
    pub(in crate::dns) fn special(&self, name: &[u8], delegated: usize) -> Option<&'static Zones> {
        let zones = super::special::zones();
        let octets = zones.find(name)?.origin().as_wire().len();
        let is_closest = self.route(name).is_none_or(|route| route.octets < octets);
        (is_closest && delegated < octets).then_some(zones)
    }

    /// What is known of a question on this route.
    pub(in crate::dns) fn look(&self, route: Route<'_>, asked: &KeyRef) -> Look {
        let now = self.care.clock.elapsed();
        match self.cache.find(asked, now, route.group.trouble()) {
            Found::Known(told, is_to_be_prefetched) => {
                if is_to_be_prefetched
                    && let Some(prefetch) = &self.prefetch
                    && prefetch.try_send(asked.to_key()).is_ok()
                {
                    self.care.metrics.prefetches.inc();
                }
                Look::Known(told)
            }
            Found::Missing(stale) => Look::Missing(stale),
        }
    }

    /// A message after its time, to be answered because nothing better comes in time.
    pub(super) fn stale(&self, message: &Arc<Kept>) -> Told {
        self.cache.stale(message)
    }

    /// Asks upstreams, or waits for those who do already. What comes is in the cache then.
    pub(super) async fn resolve(self: &Arc<Self>, key: Key) -> Outcome {
        let flight = {
            let mut flights = self.flights.0.lock();
            match flights.get(&key) {
                Some(flight) => flight.clone(),
                None => {
                    let flight = Arc::clone(self).fly(key.clone()).boxed().shared();
                    flights.insert(key, flight.clone());
                    // It goes on also when nobody waits for it any more.
                    tokio::spawn(flight.clone());
                    flight
                }
            }
        };
        flight.await
    }

    async fn fly(self: Arc<Self>, key: Key) -> Outcome {
        // Leaves also when something panics.
        let _landed = Landing { flights: self.flights.clone(), key: key.clone() };
        let told = match self.route(key.name()) {
            Some(route) => route.group.ask(&key, &self.care).await,
            None => Err(Failure::Down),
        };
        let now = self.care.clock.elapsed();
        let kept = told.and_then(|message| {
            let kept = Kept::new(&key, &message, self.limits, now);
            kept.map(Arc::new).map_err(|_too_long| Failure::Garbled)
        });
        match &kept {
            Ok(message) => self.cache.keep(&key, message),
            // It says nothing of the name, and may be over in a moment.
            Err(Failure::Busy) => {}
            Err(failure) => {
                tracing::debug!(question = key.shown(), ?failure, "cannot look up");
                self.cache.fail(&key, *failure, now);
            }
        }
        kept
    }
}

/// Takes a question from those under way.
struct Landing {
    flights: Flights,
    key: Key,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.0.lock().remove(&self.key);
    }
}

/// A message as it is told when it has just come.
pub(super) fn fresh(message: Arc<Kept>) -> Told {
    Told::Message(message, Age::Fresh(0))
}
