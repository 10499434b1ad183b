//! Signs of life on their way from the server that they have reached to the one that counts them.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{
        Arrival, CheckReport, CheckState, Heartbeat, InstanceKey, Revision, Status, Timestamp,
        limit,
    },
    registry::{
        Member, Ownership, Snapshot,
        draft::{is_held, is_later_word},
    },
};

/// A sign of life that reached a server whose task its instance is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// From whom.
    pub key: InstanceKey,
    /// Of which of its checks, counted from 0, and of which registration; `None` for all its `ttl`
    /// checks.
    pub check: Option<(usize, Revision)>,
    /// The state it reports; `None` when it only was registered again as it is.
    pub status: Option<Status>,
    /// What it says of it; `None` where that has not come along, and what is known stays.
    pub output: Option<Arc<str>>,
    /// How the server that it reached heard it, or since when what is found is so; `None` when that
    /// one is of a version that does not say so.
    pub heard: Option<Arrival>,
    /// Whether it is no sign of life, but what its server has found of one of its own instances
    /// while it is cut off from the store.
    pub is_finding: bool,
}

/// Why a sign of life is not counted where it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Astray {
    /// Another server counts it, as far as is known there.
    Elsewhere,
    /// There is no such instance, registration or check, as far as is known there.
    Unknown,
}

// === impl Beat ===

impl Beat {
    /// How long one is worth something that is on its way, or waits; then it is dropped, as it
    /// would keep a dead instance for longer than its ttl. Time for an attempt that runs into its
    /// timeout, and for the other way.
    pub const WORTH: Duration = Duration::from_secs(3);

    /// That of an instance that was registered again as it is.
    pub fn of(key: InstanceKey) -> Self {
        Self { key, check: None, status: None, output: None, heard: None, is_finding: false }
    }

    /// What it is to the registry with this snapshot, of the server whose tasks `ownership` has.
    /// One that reports no state leaves each check in the state that it is in.
    ///
    /// # Errors
    /// When it is not counted here.
    pub fn heartbeats(
        &self,
        snapshot: &Snapshot,
        ownership: &Ownership,
    ) -> Result<Vec<Heartbeat>, Astray> {
        let member = snapshot.member(&self.key).filter(|member| self.is_about(member));
        let member = member.ok_or(Astray::Unknown)?;
        // Others hand on to who comes back while it does not find itself known yet.
        let is_for_here = ownership.keeps(&self.key) || ownership.will_keep(&self.key);
        if self.is_finding || !is_for_here {
            return Err(Astray::Elsewhere);
        }
        let (Some(status), Some(output)) = (self.status, &self.output) else {
            return Ok(self.renewals(member));
        };
        Ok(vec![Heartbeat {
            key: self.key.clone(),
            check: self.check,
            status,
            output: limited(output),
            heard: self.heard,
        }])
    }

    /// What it says of one of another server's own instances: servers that are cut off tell one
    /// another so what heartbeats, and the want of them, have changed. `None` when it comes from
    /// somebody else, is not about what is known here, or, as of `now`, is older than a word that
    /// its client has said here.
    pub fn found_by(
        &self,
        server: &str,
        snapshot: &Snapshot,
        ownership: &Ownership,
        now: Timestamp,
    ) -> Option<CheckReport> {
        let (Some((check, registered)), Some(status)) = (self.check, self.status) else {
            return None;
        };
        let owner = ownership.owner(&self.key)?;
        let member = snapshot.member(&self.key)?;
        let since = self.heard.and_then(|heard| heard.at);
        let is_older = |since| is_later_word(member.checks.get(check), since, now);
        (&*owner.id == server && self.is_about(member) && !since.is_some_and(is_older)).then(|| {
            let (key, output) = (self.key.clone(), self.output.as_ref().map(limited));
            let (output, since) = (output.unwrap_or_default(), since.map(|at| at.min(now)));
            CheckReport { key, registered, check, status, output, since }
        })
    }

    /// Whether it has a check that this is a sign of life for.
    fn is_about(&self, member: &Member) -> bool {
        match self.check {
            None => member.instance.has_ttl_check(),
            Some((check, registered)) => {
                let spec = member.instance.checks.get(check);
                registered == member.registered && spec.is_some_and(|spec| spec.ttl().is_some())
            }
        }
    }

    /// One for each check that is meant, each with what is known of it.
    fn renewals(&self, member: &Member) -> Vec<Heartbeat> {
        let checks = member.instance.checks.iter().zip(&member.checks).enumerate();
        let is_meant = |index| self.check.is_none_or(|(check, _)| check == index);
        checks
            .filter(|(index, (spec, _))| spec.ttl().is_some() && is_meant(*index))
            .map(|(index, (_, state))| Heartbeat {
                key: self.key.clone(),
                check: Some((index, member.registered)),
                status: self.status.unwrap_or(state.status),
                output: self.word(state),
                heard: self.heard,
            })
            .collect()
    }

    fn word(&self, known: &CheckState) -> Arc<str> {
        let is_news = self.status.is_some_and(|status| status != known.status);
        match self.status {
            // Whoever is heard of is held no longer, so that is not to be said again.
            None if is_held(known) => "registered again".into(),
            _ if is_news || is_held(known) => Arc::default(),
            _ => Arc::clone(&known.output),
        }
    }
}

fn limited(output: &Arc<str>) -> Arc<str> {
    match output.floor_char_boundary(limit::CHECK_OUTPUT_OCTETS_MAX) {
        all if all == output.len() => Arc::clone(output),
        most => output[..most].into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Astray, Beat};
    use crate::{
        model::{CheckKind, CheckSpec, Command, Heartbeat, Instance, Revision, Status, limit},
        registry::{
            Options, Ownership, Peer, View,
            testing::{self, Running, key},
        },
    };

    /// A server with `web/a`, whose first and last checks are kept up by heartbeats.
    async fn server() -> Running {
        let running = testing::run(testing::Kept::default(), Options::default());
        let ttl = || CheckSpec::new(CheckKind::ttl(Duration::from_secs(9)).unwrap());
        let manual = CheckSpec::new(CheckKind::Manual);
        let instance = Instance {
            checks: [ttl(), manual, ttl()].into(),
            ..testing::instance("web/a", "10.0.0.1")
        };
        for instance in [instance, testing::instance("web/mute", "10.0.0.2")] {
            running.registry.submit(Command::Register(vec![instance.into()])).await.unwrap();
        }
        running
    }

    async fn say(running: &Running, check: Option<usize>, status: Status, output: &str) {
        let check = check.map(|check| (check, registered(running)));
        let (key, output) = (key("web/a"), output.into());
        let heartbeat = Command::Heartbeat(Heartbeat { key, check, status, output, heard: None });
        running.registry.submit(heartbeat).await.unwrap();
    }

    fn registered(running: &Running) -> Revision {
        running.registry.snapshot().member(&key("web/a")).unwrap().registered
    }

    /// Each heartbeat as `CHECK STATUS OUTPUT`.
    fn heard(running: &Running, beat: &Beat) -> Result<Vec<String>, Astray> {
        let heartbeats = beat.heartbeats(&running.registry.snapshot(), &Ownership::all())?;
        let text = |beat: Heartbeat| {
            let check = beat.check.map_or_else(|| "all".to_owned(), |(check, _)| check.to_string());
            format!("{check} {} {}", beat.status.as_str(), beat.output)
        };
        Ok(heartbeats.into_iter().map(text).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_says_is_taken_and_what_it_does_not_say_stays() {
        let running = server().await;
        say(&running, Some(0), Status::Warning, "hot").await;
        let of = |check: Option<usize>, status, output: Option<&str>| {
            let check = check.map(|check| (check, registered(&running)));
            Beat { check, status, output: output.map(Into::into), ..Beat::of(key("web/a")) }
        };
        let (passing, warning) = (Some(Status::Passing), Some(Status::Warning));
        for (beat, expected) in [
            (of(None, passing, Some("fine")), &["all passing fine"][..]),
            (of(Some(2), passing, Some("")), &["2 passing "]),
            (of(None, None, None), &["0 warning hot", "2 passing registered"]),
            (of(Some(0), None, None), &["0 warning hot"]),
            (of(None, warning, None), &["0 warning hot", "2 warning "]),
            (of(Some(0), passing, None), &["0 passing "]),
        ] {
            assert_eq!(heard(&running, &beat).unwrap(), expected, "{beat:?}");
        }
        let long = "\u{e4}".repeat(limit::CHECK_OUTPUT_OCTETS_MAX);
        let beat = of(None, passing, Some(&long));
        let heartbeats = beat.heartbeats(&running.registry.snapshot(), &Ownership::all()).unwrap();
        assert_eq!(heartbeats[0].output.len(), limit::CHECK_OUTPUT_OCTETS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_nobody_or_for_another_server_is_said_to_be() {
        let running = server().await;
        let of = |name: &str, check| Beat { check, ..Beat::of(key(name)) };
        let registered = registered(&running);
        for beat in [
            of("web/b", None),
            of("web/mute", None),
            of("web/a", Some((1, registered))),
            of("web/a", Some((3, registered))),
            of("web/a", Some((0, registered.next()))),
        ] {
            assert_eq!(heard(&running, &beat), Err(Astray::Unknown), "{beat:?}");
        }
        let peer = Peer { id: "b".into(), http: [].into() };
        let (me, servers) = ("a".into(), vec![peer]);
        let ownership =
            Ownership::of(View { me, servers, checkers: 1, is_cut_off: false, hears_all: false });
        let snapshot = running.registry.snapshot();
        let astray = |name| of(name, None).heartbeats(&snapshot, &ownership).unwrap_err();
        assert_eq!([astray("web/a"), astray("web/b")], [Astray::Elsewhere, Astray::Unknown]);
    }

    /// It repeated what the check says while it is held, by which a hold is known: so it went on.
    #[tokio::test(start_paused = true)]
    async fn who_was_held_and_is_registered_again_is_held_no_longer() {
        let running = testing::run(testing::Kept::default(), Options::default());
        let beating = |n: usize| {
            testing::beating(&format!("web/i{n}"), "10.0.0.1", Duration::from_secs(9)).into()
        };
        let all = (0..20).map(beating).collect();
        running.registry.submit(Command::Register(all)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(12)).await;
        let is_suspect = || running.registry.snapshot().member(&key("web/i3")).unwrap().suspect;
        assert!(is_suspect());
        let heartbeats =
            Beat::of(key("web/i3")).heartbeats(&running.registry.snapshot(), &Ownership::all());
        for heartbeat in heartbeats.unwrap() {
            running.registry.submit(Command::Heartbeat(heartbeat)).await.unwrap();
        }
        assert!(!is_suspect());
    }
}
