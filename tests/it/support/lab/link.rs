//! Links between hosts that are cut, and mended again.

use std::sync::atomic::Ordering;

use super::{Host, Lab, ip};

/// A link that is cut until this is dropped. The same link may be cut several times, and is whole
/// when all of these are gone.
#[must_use = "it is mended when this is dropped"]
pub(crate) struct Cut(Vec<String>);

// === impl Lab ===

impl Lab {
    /// Cuts the link between two hosts, both ways.
    pub(crate) fn cut(&self, one: &str, other: &str) -> Cut {
        self.cut_between(&[one], &[other])
    }

    /// Cuts the link between each of some hosts and each of others, both ways and all at once.
    pub(crate) fn cut_between(&self, some: &[&str], others: &[&str]) -> Cut {
        let mut rules = Vec::new();
        for one in some {
            for other in others {
                rules.extend([self.rule(one, other), self.rule(other, one)]);
            }
        }
        Cut::new(rules)
    }

    /// Cuts what one host sends to another, which is heard as ever the other way.
    pub(crate) fn mute(&self, from: &str, to: &str) -> Cut {
        Cut::new(vec![self.rule(from, to)])
    }

    fn rule(&self, from: &str, to: &str) -> String {
        let [from, to] = [from, to].map(|name| self.host(name)).map(Host::cidr);
        let preference = self.preference.fetch_add(1, Ordering::Relaxed);
        format!("from {from} to {to} preference {preference} blackhole\n")
    }
}

// === impl Host ===

impl Host {
    fn cidr(&self) -> String {
        format!("{}/32", self.address)
    }
}

// === impl Cut ===

impl Cut {
    fn new(rules: Vec<String>) -> Self {
        let lines: String = rules.iter().map(|rule| format!("rule add {rule}")).collect();
        ip(&lines);
        Self(rules)
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let lines: String = self.0.iter().map(|rule| format!("rule del {rule}")).collect();
        ip(&lines);
    }
}
