//! What a member says of itself.

use std::fmt;

use super::{Header, proto};

/// A member as it described itself last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The endpoint it was asked at.
    pub endpoint: String,
    /// Cluster, member, newest revision and term.
    pub header: Header,
    /// Its version, as it says.
    pub version: String,
    /// Octets of its database on the disk.
    pub db_size: u64,
}

/// Something that etcd holds to be wrong until somebody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// The member that raised it.
    pub member: u64,
    /// What.
    pub kind: AlarmKind,
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// Members' data differ.
    Corrupt,
    /// The database is as large as it may be.
    NoSpace,
    /// One that is not known here.
    Other(i32),
}

/// A version's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u16,
    minor: u16,
    patch: u16,
}

// === impl Member ===

impl Member {
    pub(super) fn new(endpoint: String, status: proto::StatusResponse) -> Self {
        Self {
            endpoint,
            header: status.header.into(),
            version: status.version,
            db_size: status.db_size,
        }
    }
}

// === impl Alarm ===

impl From<proto::AlarmMember> for Alarm {
    fn from(alarm: proto::AlarmMember) -> Self {
        let kind = match proto::AlarmType::try_from(alarm.alarm) {
            Ok(proto::AlarmType::NoSpace) => AlarmKind::NoSpace,
            Ok(proto::AlarmType::Corrupt) => AlarmKind::Corrupt,
            Ok(proto::AlarmType::None) | Err(_) => AlarmKind::Other(alarm.alarm),
        };
        Self { member: alarm.member_id, kind }
    }
}

impl fmt::Display for AlarmKind {
    /// As etcdctl writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt => f.write_str("CORRUPT"),
            Self::NoSpace => f.write_str("NOSPACE"),
            Self::Other(number) => write!(f, "number {number}"),
        }
    }
}

// === impl Version ===

impl Version {
    /// Reads `3.4.23`, also with something behind it (`3.6.0-rc.1`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(['.', '-', '+']);
        let mut next = || parts.next()?.parse().ok();
        Some(Self { major: next()?, minor: next()?, patch: next().unwrap_or(0) })
    }

    /// Of a member that does not tell us, which is one of this version or later: since 3.5.28 and
    /// 3.6.0 (CVE-2026-33413) only `root` may ask, since 3.5.32 any user. What matters here was
    /// mended before. (3.1 and 3.2 refused it as well, and are not told from these.)
    pub(super) const GUARDED: Self = Self::new(3, 5, 28);

    const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Whether it answers requests for progress of a watch, which came with 3.4.
    pub(super) fn is_recent_enough(self) -> bool {
        self >= Self::new(3, 4, 0)
    }

    /// What is known to be wrong with it and matters here.
    pub(super) fn defects(self) -> Option<&'static str> {
        match (self.minor, self.patch) {
            _ if self.major != 3 => None,
            (5, 0..=2) => Some("it can corrupt its data when it is killed (etcd issue 13766)"),
            (0..=4, _) if self < Self::new(3, 4, 31) => Some(LEASES),
            (5, 0..=12) => Some(LEASES),
            _ => None,
        }
    }

    /// Whether it copies what it has not yet in its file for each transaction (etcd pull request
    /// 12896, which came with 3.5).
    pub(super) fn copies_buffers(self) -> bool {
        self < Self::new(3, 5, 0)
    }

    /// Whether its answer to a request for progress comes behind the events that it speaks of
    /// (etcd issue 15220; mended in 3.4.25 and 3.5.8).
    pub(super) fn orders_progress(self) -> bool {
        match (self.major, self.minor) {
            (3, 4) => self.patch >= 25,
            (3, 5) => self.patch >= 8,
            (major, minor) => (major, minor) > (3, 5),
        }
    }
}

/// Of all versions before 3.4.31 and 3.5.13.
const LEASES: &str = "a leader that was paused can revoke leases that were kept alive (etcd issue \
                      15247)";

#[cfg(test)]
mod tests {
    use super::Version;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_are_read_with_and_without_what_is_behind() {
        assert_eq!(version("3.4.23"), Version::new(3, 4, 23));
        assert_eq!(version("3.6.0-rc.1"), Version::new(3, 6, 0));
        assert_eq!(version("3.7"), Version::new(3, 7, 0));
        assert_eq!(Version::parse("not"), None);
    }

    #[test]
    fn what_is_too_old_or_defective_is_known() {
        for (text, enough, sound, ordered, copies) in [
            ("3.3.27", false, false, false, true),
            ("3.4.0", true, false, false, true),
            ("3.4.24", true, false, false, true),
            ("3.4.25", true, false, true, true),
            ("3.4.30", true, false, true, true),
            ("3.4.31", true, true, true, true),
            ("3.5.1", true, false, false, false),
            ("3.5.8", true, false, true, false),
            ("3.5.12", true, false, true, false),
            ("3.5.13", true, true, true, false),
            ("3.6.0", true, true, true, false),
            ("4.0.0", true, true, true, false),
        ] {
            let version = version(text);
            let found = (
                version.is_recent_enough(),
                version.defects().is_none(),
                version.orders_progress(),
                version.copies_buffers(),
            );
            assert_eq!(found, (enough, sound, ordered, copies), "{text}");
        }
        let guarded = Version::GUARDED;
        assert!(guarded.is_recent_enough() && guarded.orders_progress());
        assert_eq!(guarded.defects(), None);
        assert!(version("3.5.1").defects().unwrap().contains("corrupt"));
        assert!(version("3.5.3").defects().unwrap().contains("leases"));
    }
}
