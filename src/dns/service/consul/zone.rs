//! What a name of Consul's answers.

use super::{
    name::{Meaning, meaning},
    spec::{Consul, Domain},
    top,
};
use crate::dns::{
    answer::Sources, apex::Apex, asked::Asked, caller::Caller, encode::Reply, verdict::Verdict,
};

/// What a question about one of Consul's names is answered from and with.
pub(super) struct Asking<'a, 'b> {
    pub sources: &'a Sources<'a>,
    pub consul: &'a Consul,
    /// The domain that was asked: answers lead to names in the same one.
    pub domain: &'a Domain,
    /// The name and type.
    pub asked: Asked<'a>,
    /// Who asks.
    pub caller: Caller,
    /// Where chance comes from.
    pub rng: &'a mut fastrand::Rng,
    /// What is written.
    pub reply: &'a mut Reply<'b>,
}

/// Answers if the asked name is one of Consul's; the top of the domain comes back with the verdict,
/// for the SOA of a negative one.
#[inline(never)]
pub(in crate::dns::service) fn answer<'s>(
    sources: &Sources<'s>,
    consul: &'s Consul,
    asked: Asked<'_>,
    caller: Caller,
    (rng, reply): (&mut fastrand::Rng, &mut Reply<'_>),
) -> Option<(Verdict, Apex<'s>)> {
    let (domain, meaning) = meaning(consul, asked.name)?;
    let apex = Apex::of_consul(sources, &asked, domain.name.as_wire().len());
    let mut asking = Asking { sources, consul, domain, asked, caller, rng, reply };
    let verdict = match meaning {
        Meaning::Address(digits) => asking.address(digits),
        Meaning::Apex => match top::answer(consul, &apex, asked.qtype, asking.reply) {
            Verdict::Nodata => asking.empty(),
            verdict => verdict,
        },
        Meaning::Empty => asking.empty(),
        Meaning::NameServer => top::server(consul, &asked, asking.reply),
        Meaning::Node(labels) => asking.node(labels),
        Meaning::Nothing => Verdict::Nxdomain,
        Meaning::Service(service) => asking.service(&service),
    };
    Some((verdict, apex))
}

// === impl Asking ===

impl Asking<'_, '_> {
    /// What is said of a name that has nothing but names below it: that it is there (RFC 8020 §2),
    /// unless Consul's word is wanted, which says that it is not.
    pub(super) fn empty(&self) -> Verdict {
        if self.consul.nxdomain_for_empty_names { Verdict::Nxdomain } else { Verdict::Nodata }
    }
}
