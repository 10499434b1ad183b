//! The top of the zone.

use hickory_proto::rr::{Name, RData, RecordType};

use super::{A, world};
use crate::{
    dns::{Settings, SettingsSpec},
    model::{DnsName, Revision},
};

#[test]
fn the_apex_says_who_is_in_charge() {
    let mut world = world();
    let soa = world.ask("", RecordType::SOA);
    let RData::SOA(data) = &soa.message.answers[0].data else { panic!("an SOA") };
    assert_eq!(data.mname, Name::from_ascii("ns1.service.internal.").unwrap());
    assert_eq!(data.rname, Name::from_ascii("hostmaster.service.internal.").unwrap());
    assert_eq!((data.serial, data.minimum, soa.message.answers[0].ttl), (77, 5, 5));
    let ns = world.ask("", RecordType::NS);
    assert_eq!(ns.answers(), ["ns1.service.internal.", "ns2.service.internal."]);
    let glue = [
        "ns1.service.internal. A 192.0.2.1",
        "ns1.service.internal. AAAA 2001:db8::1",
        "ns2.service.internal. A 192.0.2.2",
    ];
    assert_eq!(ns.additionals(), glue);
    // The zone's name is there once; everything else points to it.
    for told in [soa, ns, world.ask("none", A)] {
        let label = b"\x07service";
        assert_eq!(told.octets.windows(label.len()).filter(|octets| octets == label).count(), 1);
    }
}

#[test]
fn the_mailbox_may_be_anywhere() {
    let domain = DnsName::parse("internal").unwrap();
    for mailbox in ["ops.example.com", "a.b.service.internal", "service.internal"] {
        let mut spec = SettingsSpec::new(domain.clone());
        spec.hostmaster = Some(DnsName::parse(mailbox).unwrap());
        spec.reverse = vec!["10.0.0.0/8".parse().unwrap()];
        let mut world = world();
        world.settings = Settings::new(&spec).unwrap();
        for name in ["none", "2.2.2.10.in-addr.arpa."] {
            let told = world.ask(name, A);
            let RData::SOA(data) = &told.message.authorities[0].data else { panic!("an SOA") };
            assert_eq!(data.rname, Name::from_ascii(format!("{mailbox}.")).unwrap(), "{name}");
            assert_eq!(data.mname, Name::from_ascii("ns1.service.internal.").unwrap(), "{name}");
        }
    }
}

#[test]
fn the_serial_is_the_revision_modulo_its_width() {
    let mut world = world();
    world.snapshot.revision.0 = u64::from(u32::MAX) + 3;
    let told = world.ask("none", A);
    let RData::SOA(data) = &told.message.authorities[0].data else { panic!("an SOA") };
    assert_eq!(data.serial, 2);
    // Where servers share their state it is the same on all of them.
    world.snapshot.shared = Some(Revision::shared(77));
    let told = world.ask("none", A);
    let RData::SOA(data) = &told.message.authorities[0].data else { panic!("an SOA") };
    assert_eq!(data.serial, 77);
}
