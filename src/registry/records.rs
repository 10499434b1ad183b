//! What the instances of one tier put into answers, in wire form, one behind the other.
//!
//! An answer needs a few octets of each instance: its addresses, its port, its name. Read from the
//! members themselves they lie on three lines of memory each, which at a million instances are in
//! no cache; here those of a whole tier lie on a handful that follow one another.

use std::net::IpAddr;

use super::Member;

/// Octets in front of an instance's addresses: the numbers of its IPv4 and IPv6 addresses, whether
/// its target is a host, the octets of its target, its port.
const HEAD: usize = 6;

/// The octets of a tier's instances. A place in them is what [`Group::start`] says.
///
/// [`Group::start`]: super::Group::start
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records(Box<[u8]>);

/// Where the SRV record of an instance points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'r> {
    /// To the host that stands in the place of its addresses: wire labels with the root's zero.
    Host(&'r [u8]),
    /// To the instance by its own name: one wire label.
    Instance(&'r [u8]),
}

// === impl Records ===

impl Records {
    /// Writes down `members` and calls `placed` with the place of each.
    pub(super) fn new<'m>(
        members: impl Iterator<Item = &'m Member>,
        mut placed: impl FnMut(u32),
    ) -> Self {
        let mut octets = Vec::new();
        for member in members {
            placed(u32::try_from(octets.len()).expect("10,000 times less than 1,000 octets"));
            write(&mut octets, member);
        }
        Self(octets.into())
    }

    /// The IPv4 addresses of the instance at `start`.
    #[inline]
    pub fn v4(&self, start: u32) -> &[[u8; 4]] {
        let record = &self.0[start as usize..];
        record[HEAD..][..4 * usize::from(record[0])].as_chunks().0
    }

    /// The IPv6 addresses of the instance at `start`.
    #[inline]
    pub fn v6(&self, start: u32) -> &[[u8; 16]] {
        let record = &self.0[start as usize..];
        let (v4, v6) = (4 * usize::from(record[0]), 16 * usize::from(record[1]));
        record[HEAD + v4..][..v6].as_chunks().0
    }

    /// The port of the instance at `start`, in network order, and what SRV points to.
    #[inline]
    pub fn target(&self, start: u32) -> ([u8; 2], Target<'_>) {
        let record = &self.0[start as usize..];
        let at = HEAD + 4 * usize::from(record[0]) + 16 * usize::from(record[1]);
        let name = &record[at..][..usize::from(record[3])];
        let is_host = record[2] != 0;
        let target = if is_host { Target::Host(name) } else { Target::Instance(name) };
        ([record[4], record[5]], target)
    }
}

fn write(octets: &mut Vec<u8>, member: &Member) {
    let instance = &member.instance;
    let (ips, host) = (instance.addresses.as_ips(), instance.addresses.host());
    let count = |is: fn(&&IpAddr) -> bool| {
        u8::try_from(ips.iter().filter(is).count()).expect("an instance has at most 16 addresses")
    };
    let octets_of = |name: &[u8]| u8::try_from(name.len()).expect("a name has at most 255 octets");
    let id = instance.id.as_bytes();
    let target = host.map_or(1 + octets_of(id), |host| octets_of(host.as_wire()));
    let [port_high, port_low] = instance.port.to_be_bytes();
    let (v4, v6) = (count(|ip| ip.is_ipv4()), count(|ip| ip.is_ipv6()));
    octets.extend([v4, v6, host.is_some().into(), target, port_high, port_low]);
    for ip in ips {
        if let IpAddr::V4(ip) = ip {
            octets.extend(ip.octets());
        }
    }
    for ip in ips {
        if let IpAddr::V6(ip) = ip {
            octets.extend(ip.octets());
        }
    }
    match host {
        Some(host) => octets.extend(host.as_wire()),
        None => {
            octets.push(octets_of(id));
            octets.extend(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Records, Target};
    use crate::{
        model::{Addresses, DnsName, Revision, Timestamp},
        registry::{Member, testing},
    };

    #[test]
    fn what_was_written_is_read_at_its_place() {
        let member = |id: &str, addresses: Addresses, port: u16| {
            let mut instance = testing::instance(&format!("web/{id}"), "10.0.0.1");
            (instance.addresses, instance.port) = (addresses, port);
            Member::new(Arc::new(instance), Revision(1), Timestamp(0))
        };
        let ips = |texts: &[&str]| {
            Addresses::ips(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
        };
        let host = DnsName::parse("db.example.com").unwrap();
        let members = [
            member("a", ips(&["fd00::1", "10.0.0.1", "fd00::2"]), 80),
            member("longer-name", Addresses::Host(host.clone()), 0x1234),
            member("c", ips(&["10.0.0.3", "10.0.0.4"]), 65_535),
        ];
        let mut places = Vec::new();
        let records = Records::new(members.iter(), |place| places.push(place));

        let v6 = |last: u8| [0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        assert_eq!(records.v4(places[0]), [[10, 0, 0, 1]]);
        assert_eq!(records.v6(places[0]), [v6(1), v6(2)]);
        assert_eq!(records.target(places[0]), ([0, 80], Target::Instance(b"\x01a")));
        assert!(records.v4(places[1]).is_empty() && records.v6(places[1]).is_empty());
        assert_eq!(records.target(places[1]), ([0x12, 0x34], Target::Host(host.as_wire())));
        assert_eq!(records.v4(places[2]), [[10, 0, 0, 3], [10, 0, 0, 4]]);
        assert!(records.v6(places[2]).is_empty());
        assert_eq!(records.target(places[2]), ([255, 255], Target::Instance(b"\x01c")));
    }
}
