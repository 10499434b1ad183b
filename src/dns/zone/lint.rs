//! What is odd about a zone and does not keep it from being served: told with file and line.

use super::{
    binding::Binding,
    build::{Builder, Group},
    master::Record,
    rdata::type_text,
};
use crate::{dns::code::rtype, model::DnsName};

// === impl Builder ===

impl Builder<'_> {
    /// Warns of what clients make something else of than the writer may have meant.
    pub(super) fn check_targets(&mut self) {
        let mut odd: Vec<(&Record, String)> = Vec::new();
        for (owner, groups) in &self.owners {
            for (&rtype, group) in groups {
                let problem = match rtype {
                    rtype::MX | rtype::NS | rtype::SRV => self.leads_to_alias(rtype, group),
                    rtype::HTTPS | rtype::SVCB => bindings(owner, group),
                    _ => None,
                };
                odd.extend(problem.map(|problem| (group.first, problem)));
            }
        }
        odd.sort_by_key(|(record, _)| (record.file, record.line));
        for (record, problem) in odd {
            self.warn(record, problem);
        }
    }

    fn leads_to_alias(&self, rtype: u16, group: &Group<'_>) -> Option<String> {
        let set = group.to_set(rtype);
        let is_alias = |name: &&DnsName| {
            let known = self.owners.get(name.as_wire());
            known.is_some_and(|groups| groups.contains_key(&rtype::CNAME))
        };
        let target = set.targets.iter().find(is_alias)?;
        let rtype = type_text(rtype);
        Some(format!(
            "the {rtype} record leads to `{target}`, which is an alias; clients need not follow it \
             (RFC 2181 §10.3)"
        ))
    }
}

/// What is odd about the SVCB or HTTPS records of a name (RFC 9460 §2.4).
fn bindings(owner: &[u8], group: &Group<'_>) -> Option<String> {
    let bindings = || group.rdata.iter().filter_map(|data| Binding::read(data));
    let count = bindings().count();
    let aliases = bindings().filter(|binding| binding.is_alias()).count();
    let is_loop =
        |binding: Binding<'_>| binding.is_alias() && binding.target.eq_ignore_ascii_case(owner);
    let problem = if aliases > 0 && count > aliases {
        "aliases (priority 0) stand beside others, which clients ignore then (RFC 9460 §2.4.1)"
    } else if aliases > 1 {
        "of several aliases (priority 0) clients take one by chance (RFC 9460 §2.4.2)"
    } else if bindings().any(|binding| binding.is_alias() && binding.has_parameters()) {
        "an alias (priority 0) has parameters, which clients ignore (RFC 9460 §2.4.2)"
    } else if bindings().any(is_loop) {
        "an alias leads to itself (RFC 9460 §2.4.2)"
    } else {
        return None;
    };
    Some(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::dns::zone::{build, master, testing::Files};

    /// What is said of a zone of these records, after an apex of two lines.
    fn warnings(records: &str) -> Vec<String> {
        let text = format!("@ 5 SOA ns. m. 1 2 3 4 5\n@ 5 NS ns.\n$TTL 5\n{records}");
        let files = Files(HashMap::from([("z", text.into_bytes())]));
        let master = master::read(&files, "z", b"\x04test\x00").unwrap();
        let (_, warnings) = build::build(&master, &[]).unwrap();
        warnings.iter().map(|warning| format!("{}: {}", warning.place, warning.problem)).collect()
    }

    #[test]
    fn what_clients_read_otherwise_than_it_was_meant_is_told() {
        let cases = [
            ("a CNAME b\n@ MX 1 a", "z:5: the MX record leads to `a.test`, which is an alias"),
            ("a CNAME b\n_x._tcp SRV 1 1 1 a", "z:5: the SRV record leads to"),
            ("a CNAME b\nsub NS a", "z:5: the NS record leads to"),
            ("a HTTPS 0 b\na HTTPS 1 .", "z:4: aliases (priority 0) stand beside others"),
            ("a HTTPS 0 b\na HTTPS 0 c", "z:4: of several aliases"),
            ("a SVCB 0 b alpn=h2", "z:4: an alias (priority 0) has parameters"),
            ("a HTTPS 0 A", "z:4: an alias leads to itself"),
        ];
        for (records, expected) in cases {
            let found = warnings(records);
            assert!(matches!(&found[..], [one] if one.starts_with(expected)), "{found:?}");
        }
        let fine =
            "a CNAME b\nb A 192.0.2.1\n@ MX 1 b\nb HTTPS 1 . alpn=h2\n@ HTTPS 0 a\nc SVCB 2 a";
        assert_eq!(warnings(fine), [""; 0]);
    }
}
