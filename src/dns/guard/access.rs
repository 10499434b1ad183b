//! Who may ask for a zone.

use std::net::IpAddr;

use arrayvec::ArrayVec;
use ipnet::IpNet;

use super::Networks;
use crate::{
    dns::zone::is_within,
    model::{DnsName, Invalid, limit::NAME_OCTETS_MAX},
};

/// Rules: each is compared with every name that is asked for.
const RULES_MAX: usize = 64;

/// Who may ask for the names of a zone, and of the zones below it that have no rule of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// The zone; the root is everything.
    pub zone: DnsName,
    /// Who may; when empty, everybody.
    pub allow: Vec<IpNet>,
    /// Who may not, although `allow` says so.
    pub deny: Vec<IpNet>,
}

/// A client, as far as the rules are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'g> {
    access: &'g Access,
    client: IpAddr,
}

/// All rules; of those that have a name, that of the longest zone decides.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The longest zone first.
    rules: Box<[Rule]>,
}

#[derive(Debug, Clone)]
struct Rule {
    zone: DnsName,
    allow: Option<Networks>,
    deny: Networks,
}

// === impl AccessRule ===

impl AccessRule {
    /// Networks of one list: for those of a whole country, a firewall is the better place.
    pub const NETWORKS_MAX: usize = 1_024;

    /// Whether the rule goes together with those before it.
    ///
    /// # Errors
    /// When it is one too many, its zone has a rule, or it has no list, or too long a one.
    pub fn check(&self, before: &[Self]) -> Result<(), Invalid> {
        let refused = |problem: String| Err(Invalid::new("", &self.zone, problem));
        if before.len() >= RULES_MAX {
            return refused(format!("has a rule above the limit of {RULES_MAX}"));
        }
        if before.iter().any(|earlier| earlier.zone == self.zone) {
            return refused("has a rule already".into());
        }
        if self.allow.is_empty() && self.deny.is_empty() {
            return refused("has neither `allow` nor `deny`".into());
        }
        let (count, limit) = (self.allow.len().max(self.deny.len()), Self::NETWORKS_MAX);
        if count > limit {
            return refused(format!("has {count} networks, above the limit of {limit}"));
        }
        Ok(())
    }
}

// === impl Access ===

impl Access {
    /// Checks and prepares the rules.
    ///
    /// # Errors
    /// As [`AccessRule::check`].
    pub(in crate::dns) fn new(rules: &[AccessRule]) -> Result<Self, Invalid> {
        for (index, rule) in rules.iter().enumerate() {
            let checked = rule.check(&rules[..index]);
            checked.map_err(|invalid| invalid.under(format!("access[{index}]")))?;
        }
        let mut rules: Vec<Rule> = rules.iter().map(Rule::new).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.zone.as_wire().len()));
        Ok(Self { rules: rules.into() })
    }

    /// Whether there is no rule: everybody may see everything.
    #[inline]
    pub(in crate::dns) fn is_open(&self) -> bool {
        self.rules.is_empty()
    }

    #[inline(never)]
    fn admit(&self, name: &[u8], client: IpAddr) -> bool {
        let rule = self.rules.iter().find(|rule| is_within(name, rule.zone.as_wire()));
        rule.is_none_or(|rule| rule.admits(client))
    }
}

// === impl Visitor ===

impl<'g> Visitor<'g> {
    /// This client, under these rules.
    #[inline]
    pub fn new(access: &'g Access, client: IpAddr) -> Self {
        Self { access, client }
    }

    /// Whether it may see what is at the name (lower-case wire labels).
    #[inline]
    pub fn may_see(&self, name: &[u8]) -> bool {
        self.access.is_open() || self.access.admit(name, self.client)
    }

    /// Whether it may see what is at the name that `front` (pieces of wire labels) makes with
    /// `zone` behind it. What is longer than names are is nowhere, and nobody's.
    pub fn may_see_below<const N: usize>(&self, front: [&[u8]; N], zone: &[u8]) -> bool {
        let mut name = ArrayVec::<u8, NAME_OCTETS_MAX>::new();
        let mut parts = front.into_iter().chain([zone]);
        if !parts.all(|part| name.try_extend_from_slice(part).is_ok()) {
            return true;
        }
        self.may_see(&name)
    }
}

// === impl Rule ===

impl Rule {
    fn new(rule: &AccessRule) -> Self {
        Self {
            zone: rule.zone.clone(),
            allow: (!rule.allow.is_empty()).then(|| Networks::new(&rule.allow)),
            deny: Networks::new(&rule.deny),
        }
    }

    fn admits(&self, client: IpAddr) -> bool {
        !self.deny.contains(client) && self.allow.as_ref().is_none_or(|own| own.contains(client))
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, AccessRule, Visitor};
    use crate::model::DnsName;

    fn rule(zone: &str, allow: &[&str], deny: &[&str]) -> AccessRule {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let zone = DnsName::parse(zone).unwrap();
        AccessRule { zone, allow: nets(allow), deny: nets(deny) }
    }

    #[test]
    fn the_rule_of_the_longest_zone_decides() {
        let rules = [
            rule("corp.test", &["10.0.0.0/8", "fd00::/8"], &["10.9.0.0/16"]),
            rule("open.corp.test", &["0.0.0.0/0"], &["192.0.2.1/32"]),
            rule("shut.test", &[], &["0.0.0.0/0"]),
        ];
        let access = Access::new(&rules).unwrap();
        for (name, client, expected) in [
            ("corp.test", "10.1.1.1", true),
            ("a.corp.test", "10.9.1.1", false),
            ("a.corp.test", "192.0.2.7", false),
            ("a.corp.test", "fd00::7", true),
            ("a.open.corp.test", "192.0.2.7", true),
            ("a.open.corp.test", "192.0.2.1", false),
            ("a.open.corp.test", "fd00::7", false),
            ("xcorp.test", "192.0.2.7", true),
            ("a.shut.test", "10.1.1.1", false),
            ("a.shut.test", "fd00::7", true),
            ("elsewhere.test", "192.0.2.7", true),
        ] {
            let wire = DnsName::parse(name).unwrap();
            let visitor = Visitor::new(&access, client.parse().unwrap());
            let admitted = visitor.may_see(wire.as_wire());
            assert_eq!(admitted, expected, "{client} asks for {name}");
        }
        let anybody = "192.0.2.1".parse().unwrap();
        assert!(Visitor::new(&Access::default(), anybody).may_see(b"\x00"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_place() {
        let open = rule("a.test", &["10.0.0.0/8"], &[]);
        for (rules, expected) in [
            (vec![open.clone(), rule("A.test", &["10.0.0.0/8"], &[])], "`access[1]`: `a.test` has"),
            (vec![open, rule("b.test", &[], &[])], "neither `allow` nor `deny`"),
            (vec![rule("c.test", &[], &["10.0.0.0/8"; 1_025])], "1025 networks, above the limit"),
        ] {
            let error = Access::new(&rules).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let many: Vec<_> = (0..65).map(|n| rule(&format!("z{n}"), &["10.0.0.0/8"], &[])).collect();
        assert!(Access::new(&many[..64]).is_ok());
        let error = Access::new(&many).unwrap_err().to_string();
        assert_eq!(error, "`access[64]`: `z64` has a rule above the limit of 64");
    }
}
