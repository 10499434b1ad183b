//! Every rule of the answers, at the level of messages.

mod apex;
mod health;
mod limits;
mod names;
mod paths;
mod records;

use hickory_proto::rr::RecordType;

use crate::{
    dns::testing::{World, member},
    model::{Policy, WhenNoneHealthy},
};

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const SRV: RecordType = RecordType::SRV;
const TXT: RecordType = RecordType::TXT;

fn policy(when_none_healthy: WhenNoneHealthy) -> Policy {
    Policy { when_none_healthy, ..Policy::default() }
}

fn world() -> World {
    World::with_policies(
        vec![
            member("web/a", "10.0.0.1").tags(&["v1", "eu"]).meta(&[("version", "1"), ("x", "")]),
            member("web/b", "10.0.0.2").tags(&["v2", "eu"]).at(&["10.0.0.2", "fd00::2"]),
            member("web/sick", "10.0.0.3").tags(&["v3"]).critical(),
            member("v4/a", "10.0.1.1"),
            member("tcp/a", "10.0.2.1").tags(&["blue"]),
        ],
        &[("planned", Policy::default())],
    )
}
