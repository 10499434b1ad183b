//! Part `doors`: what the interfaces of Consul and Eureka cost. Memory of what came by them, long
//! lists, short ones beside Consul's own agent, and DNS while somebody reads the longest of all.

mod agent;
mod door;
mod filled;
mod lists;
mod names;
mod short;

use anyhow::Result;

use self::{
    door::{DOORS, Door},
    filled::Filled,
};
use crate::{
    data::Data,
    part::{Env, Part, Section},
    process, rollcall,
    table::Table,
};

const LARGE: Data = Data { services: 1_000, instances: 100 };
/// Instead of it where only the harness is tried.
const QUICK: Data = Data { services: 100, instances: 10 };

/// Connections of those who register, and of those who ask for short lists.
const CONNECTIONS: u32 = 32;

const MIB: f64 = (1_u64 << 20) as f64;

/// The part.
#[derive(Debug)]
pub(crate) struct Doors;

const MEMORY: &str = "memory";
const LISTS: &str = "lists";
const SHORT: &str = "short";
const NAMES: &str = "names";

// === impl Doors ===

impl Part for Doors {
    fn name(&self) -> &'static str {
        "doors"
    }

    fn choices(&self) -> Vec<&'static str> {
        vec![MEMORY, LISTS, SHORT, NAMES]
    }

    fn run(&self, env: &Env) -> Result<Section> {
        let mut section = Section::default();
        section.version(rollcall::version(env)?);
        let files = process::scratch("requests")?;
        let data = if env.quick { QUICK } else { LARGE };
        if env.wants(MEMORY) || env.wants(LISTS) || env.wants(NAMES) {
            section.text(format!(
                "{} instances in {} services, each with an address, a port, a tag, metadata and a \
                 lease of a day, registered one by one over {CONNECTIONS} connections; then the \
                 server is started again.",
                data.services * data.instances,
                data.services
            ));
        }
        let mut memory =
            Table::new(["interface", "registrations/s", "MiB", "octets each", "÷ native"]);
        let mut native = None;
        for door in DOORS {
            let is_native = door == Door::Native;
            if !(env.wants(MEMORY) || env.wants(LISTS) || is_native && env.wants(NAMES)) {
                continue;
            }
            let filled = Filled::by(env, door, data, files.path())?;
            let ratio = filled.each / *native.get_or_insert(filled.each);
            memory.row(filled.row(ratio));
            if env.wants(MEMORY) && !env.quick && !is_native {
                section.at_most(&format!("memory, {} ÷ native", door.name()), ratio, 2.0, 2);
            }
            if env.wants(LISTS) {
                lists::tell(env, &mut section, &filled, files.path())?;
            }
            if is_native && env.wants(NAMES) {
                names::tell(env, &mut section, &filled.rollcall, data, files.path())?;
            }
        }
        if env.wants(MEMORY) {
            section.text("### Memory");
            section.table(&memory);
        }
        if env.wants(SHORT) {
            short::tell(env, &mut section, files.path())?;
        }
        Ok(section)
    }
}
