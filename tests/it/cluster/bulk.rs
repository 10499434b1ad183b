//! A server that is killed while it writes a bulk: more changes in one request than one transaction
//! of etcd takes. All of them are there in the end, or none, and at no moment some of them.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use super::{
    faults::Conductor,
    ledger::{Kind, Server},
};
use crate::support::{api::Api, etcd::Etcd, eventually};

/// When the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Its parts are being written, and mean nothing yet: none is there in the end, unless it was
    /// further than could be seen.
    Begun,
    /// It counts, and comes into its rows: all are there, and other servers write the rest.
    Counts,
}

/// Registrations in the body: a hundred and fifty transactions of rows.
const REGISTRATIONS: usize = 20_000;

/// A service has this many of them.
const OF_A_SERVICE: usize = 5_000;

/// How long a request may take whose reply does not matter.
const REPLY: Duration = Duration::from_secs(20);

/// What servers show of a bulk.
struct Watched {
    service: String,
    /// Whether a server has shown all of it.
    is_there: bool,
}

/// Has a server write a bulk, kills it at a moment of that, and starts it again: if the bulk
/// counts, only when the others have brought it to its end.
pub(super) fn kill(conductor: &mut Conductor<'_>, server: Server, moment: Moment) {
    let all: Vec<SocketAddr> = conductor.scene.servers.iter().map(|both| both.1).collect();
    let others: Vec<SocketAddr> = all.iter().copied().filter(|at| *at != all[server]).collect();
    let mut watched = Watched { service: format!("bulk-{server}-"), is_there: false };
    let (http, body) = (all[server], body(&watched.service));
    let excuse = std::thread::scope(|scope| {
        // Who is killed does not reply.
        scope.spawn(|| Api::attempt(http, ("POST", "/api/v1/instances"), &body, REPLY).ok());
        eventually(&format!("the bulk: {moment:?}"), || {
            let counts = marker(etcd(conductor))?["counts"] == true;
            (counts || moment == Moment::Begun).then_some(())
        });
        let excuse = conductor.excuse(Some(server), Kind::Down);
        conductor.fleet.kill(server);
        excuse
    });
    let is_over = |conductor: &Conductor<'_>| marker(etcd(conductor)).is_none().then_some(());
    if moment == Moment::Counts {
        let died_in_time = is_over(conductor).is_none();
        assert!(died_in_time, "it was over within moments: a larger one is wanted");
        eventually("others finish the bulk", || {
            watched.look_at(&others);
            is_over(conductor)
        });
    }
    conductor.hold();
    watched.look_at(&others);
    conductor.fleet.start_again(server);
    conductor.scene.ledger().over(&excuse, conductor.scene.now());
    eventually("the bulk is over", || {
        watched.look_at(&all);
        is_over(conductor)
    });
    println!("         a bulk of which {} is there", if watched.is_there { "all" } else { "none" });
    let parts = etcd(conductor).ctl(&["get", "--prefix", "--keys-only", "/rollcall/v1/bulks/"]);
    assert_eq!(parts.ok(), "", "nothing is left of it");
    assert!(watched.is_there || moment == Moment::Begun, "what counts stays");
    eventually("all servers show the same", || {
        let shown = all.iter().map(|at| watched.shown_by(*at));
        let is_right = |shown| shown == if watched.is_there { REGISTRATIONS } else { 0 };
        shown.into_iter().all(is_right).then_some(())
    });
}

fn etcd<'a>(conductor: &'a Conductor<'_>) -> &'a Etcd {
    conductor.fleet.etcd.as_ref().expect("it is shared")
}

/// What says that a bulk is under way.
fn marker(etcd: &Etcd) -> Option<Value> {
    let value = etcd.value("/rollcall/v1/bulk").filter(|value| !value.is_empty())?;
    Some(serde_json::from_str(&value).expect("it is JSON"))
}

/// The body of the request.
fn body(service: &str) -> Value {
    let one = |n: usize| {
        json!({
            "service": format!("{service}{}", n / OF_A_SERVICE),
            "instance": format!("i-{n}"),
            "addresses": ["192.0.2.1"],
        })
    };
    (0..REGISTRATIONS).map(one).collect()
}

// === impl Watched ===

impl Watched {
    /// How many of its instances a server shows, at one moment.
    fn shown_by(&self, http: SocketAddr) -> usize {
        let reply = Api::new(http).get("/api/v1/services");
        assert_eq!(reply.status, 200, "{reply:?}");
        let services = reply.body["services"].as_array().expect("a list");
        let is_of_it = |it: &&Value| it["service"].as_str().unwrap().starts_with(&self.service);
        let counts = services.iter().filter(is_of_it).map(|it| it["instances"].as_u64().unwrap());
        usize::try_from(counts.sum::<u64>()).expect("it is small")
    }

    /// Holds servers to all or none.
    fn look_at(&mut self, servers: &[SocketAddr]) {
        for at in servers {
            let shown = self.shown_by(*at);
            assert!([0, REGISTRATIONS].contains(&shown), "{at} shows {shown} of a bulk");
            self.is_there |= shown > 0;
        }
    }
}
