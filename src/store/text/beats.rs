//! Signs of life that servers hand on to one another.
//!
//! Servers of several versions speak to one another while they are upgraded, so a field that is not
//! known is passed over, and a sign of life that cannot be read spoils no other.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{
    model::{Arrival, InstanceId, InstanceKey, Revision, ServiceName, Status, Timestamp},
    registry::Beat,
};

/// Many of them: `{"from": "host-3f9a0c12", "beats": [{"service": "web", "instance": "web-1"}]}`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BeatsText {
    /// Which server they come from.
    pub from: SmolStr,
    /// While that server is cut off from the store: a number for the servers that it knows of
    /// (`registry::Ownership::circle`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<u64>,
    /// In the order in which they came.
    pub beats: Vec<BeatText>,
}

/// One of them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BeatText {
    /// Of which service; `_nodes` for a node.
    service: SmolStr,
    /// Of which instance.
    instance: SmolStr,
    /// Of which of its checks, counted from 0; all its `ttl` checks without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<usize>,
    /// Of which registration that check is; given with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    registered: Option<u64>,
    /// The state that it reports; left out when it was only registered again as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<SmolStr>,
    /// What it says of it; left out where that has not come along.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// Up to which revision of the shared store its server had seen all changes when it came.
    /// An older Rollcall does not say so, and passes over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    heard: Option<u64>,
    /// How many milliseconds ago it came there; left out where what it goes with may be on its way
    /// for long. An older Rollcall does not say so, and passes over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    /// Whether it is what its server has found of its own instance, and no sign of life. An older
    /// Rollcall does not say so, and passes over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    finding: bool,
}

/// What became of them, by their places in the list, counted from 0.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BeatsTakenText {
    /// How many were taken.
    pub taken: usize,
    /// Those of instances, or of registrations or checks of them, that are not known there.
    pub unknown: Vec<usize>,
    /// Those of instances whose heartbeats another server counts, as far as that one knows.
    pub elsewhere: Vec<usize>,
    /// How many milliseconds ago the store has taken a change of that server, or would have; left
    /// out while it takes none. An older Rollcall does not say so, and passes over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_ago_ms: Option<u64>,
}

// === impl BeatText ===

impl BeatText {
    /// One that is handed on at `now`; `None` leaves out how long ago it came.
    pub(crate) fn of(beat: &Beat, now: Option<Timestamp>) -> Self {
        let Beat { key, check, status, output, heard, is_finding } = beat;
        let Arrival { seen, at } = heard.unwrap_or_default();
        Self {
            service: key.service.as_str().into(),
            instance: key.id.as_str().into(),
            check: check.map(|(check, _)| check),
            registered: check.map(|(_, registered)| registered.0),
            status: status.map(|status| SmolStr::new_static(status.as_str())),
            output: output.as_deref().map(Into::into),
            heard: seen.map(Revision::shared_part),
            age_ms: now.zip(at).map(|(now, at)| now.0.saturating_sub(at.0)),
            finding: *is_finding,
        }
    }

    /// What was written, and came here at `now`; `None` when it names nothing that could be, or
    /// says what is not known.
    pub(crate) fn into_model(self, now: Timestamp) -> Option<Beat> {
        let service = ServiceName::parse_kept(&self.service).ok()?;
        let key = InstanceKey::new(service, InstanceId::parse(&self.instance).ok()?);
        let check = match (self.check, self.registered) {
            (None, None) => None,
            (Some(check), Some(registered)) => Some((check, Revision(registered))),
            _ => return None,
        };
        let status = match self.status {
            None => None,
            Some(text) => Some(Status::parse(&text)?),
        };
        let output = self.output.map(Into::into);
        let seen = self.heard.map(Revision::shared);
        let at = self.age_ms.map(|age| now.before(Duration::from_millis(age)));
        let heard = (seen.is_some() || at.is_some()).then_some(Arrival { seen, at });
        let is_finding = self.finding;
        Some(Beat { key, check, status, output, heard, is_finding })
    }
}

#[cfg(test)]
mod tests {
    use super::{BeatText, BeatsText};
    use crate::{
        model::{Arrival, Revision, Status, Timestamp},
        registry::{Beat, testing::key},
    };

    #[test]
    fn what_is_written_is_read_and_what_says_nothing_is_left_out() {
        let plain = Beat::of(key("web/a"));
        let found = Beat { is_finding: true, ..plain.clone() };
        let critical = Some(Status::Critical);
        let reporting = Beat { status: critical, output: Some("".into()), ..plain.clone() };
        let check = Some((2, Revision(70_000)));
        let of_check = Beat { check, output: Some("down".into()), ..reporting.clone() };
        let seen = Arrival { seen: Some(Revision::shared(7)), at: None };
        let heard = Beat { heard: Some(seen), ..plain.clone() };
        let at = Some(Timestamp(9_000));
        let timed = Beat { heard: Some(Arrival { at, ..seen }), ..plain.clone() };
        let unclear = Beat { heard: Some(Arrival { at, seen: None }), ..plain.clone() };
        for (beat, text) in [
            (heard, r#"{"service":"web","instance":"a","heard":7}"#),
            (timed, r#"{"service":"web","instance":"a","heard":7,"age_ms":200}"#),
            (unclear, r#"{"service":"web","instance":"a","age_ms":200}"#),
            (found, r#"{"service":"web","instance":"a","finding":true}"#),
            (plain, r#"{"service":"web","instance":"a"}"#),
            (reporting, r#"{"service":"web","instance":"a","status":"critical","output":""}"#),
            (
                of_check,
                concat!(
                    r#"{"service":"web","instance":"a","check":2,"registered":70000,"#,
                    r#""status":"critical","output":"down"}"#
                ),
            ),
        ] {
            let now = Timestamp(9_200);
            assert_eq!(serde_json::to_string(&BeatText::of(&beat, Some(now))).unwrap(), text);
            let read: BeatText = serde_json::from_str(text).unwrap();
            assert_eq!(read.into_model(now), Some(beat));
        }
    }

    #[test]
    fn what_cannot_be_read_spoils_no_other_and_what_is_later_is_passed_over() {
        let text = r#"{"from":"b","zone":"x","beats":[
            {"service":"no name","instance":"a"},
            {"service":"web","instance":"a","status":"resting"},
            {"service":"web","instance":"a","check":0},
            {"service":"web","instance":"a","registered":1},
            {"service":"web","instance":"a","mood":"good"}]}"#;
        let read: BeatsText = serde_json::from_str(text).unwrap();
        assert_eq!(read.from, "b");
        let beats: Vec<_> = read.beats.into_iter().map(|it| it.into_model(Timestamp(1))).collect();
        assert_eq!(beats, [None, None, None, None, Some(Beat::of(key("web/a")))]);
    }
}
