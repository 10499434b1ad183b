//! Where a registration came from, when it did not come by the native interface.
//!
//! Clients of other registries expect their registration back as they sent it, with words that
//! mean nothing to Rollcall. The interface that took it keeps these in a document of its own, which
//! nobody else reads. Rejected: a type for each of their nouns here, which the store, the backup
//! and every door would have to know.

use std::{fmt, sync::Arc};

use super::{Addresses, Instance, Invalid, Tag, limit};

/// The interfaces, other than the native one, by which an instance can be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interface {
    /// Consul's HTTP API.
    Consul,
    /// Eureka's REST interface.
    Eureka,
}

/// Within what an id of an interface is unique: a node of Consul, an application of Eureka.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The interface.
    pub interface: Interface,
    /// The node's name in lower case, or the application's in upper case.
    pub name: Arc<str>,
}

/// What an interface knows an instance by, and what its clients get back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The interface, and within what `id` is unique there.
    pub scope: Scope,
    /// The id as the client sent it. Empty for what is no service of a client: a node itself.
    pub id: Arc<str>,
    /// What the interface keeps for its clients, in a format of its own.
    pub document: Arc<str>,
    /// Tags that are no DNS labels, in lower case, sorted, each once.
    pub other_tags: Box<[Arc<str>]>,
    /// What its service is called there, as it was sent: where that is no name here, and not the
    /// scope's either.
    pub service: Option<Arc<str>>,
    /// The machine that it is on, where the interface knows of machines: a node of Consul.
    pub node: Option<Node>,
}

/// The machine that an instance is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub addresses: Addresses,
    /// Whether the instance has no address of its own, but this one.
    pub lends_address: bool,
}

/// Tags as clients send them, parted into those that are DNS labels and those that are not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MixedTags {
    /// Sorted, each once.
    pub labels: Arc<[Tag]>,
    /// In lower case, sorted, each once.
    pub other: Box<[Arc<str>]>,
}

// === impl Interface ===

impl Interface {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Consul, Self::Eureka];

    /// The name that the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consul => "consul",
            Self::Eureka => "eureka",
        }
    }

    /// What its ids are unique within, as the API calls it.
    pub fn scope_name(self) -> &'static str {
        match self {
            Self::Consul => "node",
            Self::Eureka => "application",
        }
    }

    /// The interface of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interface| interface.as_str() == text)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Scope ===

impl Scope {
    /// The node of that name, in any case.
    pub fn node(name: &str) -> Self {
        Self { interface: Interface::Consul, name: name.to_lowercase().into() }
    }

    /// The application of that name, in any case.
    pub fn application(name: &str) -> Self {
        Self { interface: Interface::Eureka, name: name.to_uppercase().into() }
    }

    /// Refuses a name in the other case, which nobody would find.
    ///
    /// # Errors
    /// When a node's name is not in lower case, or an application's not in upper case.
    pub fn checked(self) -> Result<Self, Invalid> {
        let (expected, case) = match self.interface {
            Interface::Consul => (Self::node(&self.name), "lower"),
            Interface::Eureka => (Self::application(&self.name), "upper"),
        };
        if self == expected {
            return Ok(self);
        }
        let problem = format!("is not in {case} case, as names of {} are", self.interface);
        Err(Invalid::new(self.interface.scope_name(), &self.name, problem))
    }
}

// === impl Origin ===

impl Origin {
    /// Holds names, tags and document to their limits and forms.
    ///
    /// # Errors
    /// Names the field that is above its limit, or not as an interface makes it.
    pub fn checked(self) -> Result<Self, Invalid> {
        let none = Arc::default();
        let service = self.service.as_ref().unwrap_or(&none);
        for (field, text, most) in [
            (self.scope.interface.scope_name(), &self.scope.name, limit::ORIGIN_NAME_OCTETS_MAX),
            ("id", &self.id, limit::ORIGIN_NAME_OCTETS_MAX),
            ("service", service, limit::ORIGIN_NAME_OCTETS_MAX),
            ("document", &self.document, limit::ORIGIN_DOCUMENT_OCTETS_MAX),
        ] {
            if text.len() > most {
                let problem = format!("octets are above the limit of {most}");
                return Err(Invalid::new(field, text.len(), problem).under("origin"));
            }
        }
        let scope = self.scope.checked().map_err(|refusal| refusal.under("origin"))?;
        checked_other_tags(&self.other_tags)?;
        Ok(Self { scope, ..self })
    }
}

/// The document has the tags, too, so that they are no longer than it may be.
fn checked_other_tags(tags: &[Arc<str>]) -> Result<(), Invalid> {
    let field = "origin.other_tags";
    let octets: usize = tags.iter().map(|tag| tag.len()).sum();
    for (count, most, what) in [
        (tags.len(), limit::INSTANCE_TAGS_MAX, "entries"),
        (octets, limit::ORIGIN_DOCUMENT_OCTETS_MAX, "octets"),
    ] {
        if count > most {
            let problem = format!("{what} are above the limit of {most}");
            return Err(Invalid::new(field, count, problem));
        }
    }
    if let Some(tag) = tags.iter().find(|tag| ***tag != *tag.to_lowercase()) {
        return Err(Invalid::new(field, tag, "is not in lower case"));
    }
    match tags.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(Invalid::new(field, &pair[1], "is there twice, or not in its order")),
        None => Ok(()),
    }
}

impl Instance {
    /// What its service is called where it came from, when that is no name here. All interfaces
    /// that have such names show it.
    pub fn service_elsewhere(&self) -> Option<&str> {
        let origin = self.origin.as_deref()?;
        let name = match origin.scope.interface {
            Interface::Consul => origin.service.as_deref()?,
            Interface::Eureka => &origin.scope.name, // an application
        };
        (!name.eq_ignore_ascii_case(self.service.as_str())).then_some(name)
    }
}

// === impl MixedTags ===

impl MixedTags {
    /// Parts tags. Of the limit of their number, the labels are held to it with the instance.
    ///
    /// # Errors
    /// When there are too many that are no labels.
    pub fn new(texts: &[impl AsRef<str>]) -> Result<Self, Invalid> {
        let (mut labels, mut other) = (Vec::new(), Vec::new());
        for text in texts {
            let text = text.as_ref();
            match Tag::parse(text) {
                Ok(tag) => labels.push(tag),
                Err(_) => other.push(Arc::from(text.to_lowercase())),
            }
        }
        labels.sort_unstable();
        labels.dedup();
        other.sort_unstable();
        other.dedup();
        if other.len() > limit::INSTANCE_TAGS_MAX {
            let problem = format!("entries are above the limit of {}", limit::INSTANCE_TAGS_MAX);
            return Err(Invalid::new("tags", other.len(), problem));
        }
        Ok(Self { labels: labels.into(), other: other.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Interface, MixedTags, Origin, Scope};
    use crate::model::{Tag, limit};

    #[test]
    fn tags_that_are_labels_are_parted_from_others() {
        let tags = ["v1", "urlprefix-/foo", "V1", "v1.2", "instance", "Primary", "V1.2"];
        let parted = MixedTags::new(&tags).unwrap();
        let labels: Vec<_> = parted.labels.iter().map(Tag::as_str).collect();
        assert_eq!(labels, ["primary", "v1"]);
        let other: Vec<_> = parted.other.iter().map(|tag| &**tag).collect();
        assert_eq!(other, ["instance", "urlprefix-/foo", "v1.2"]);
        let many: Vec<_> = (0..=limit::INSTANCE_TAGS_MAX).map(|n| format!("a.{n}")).collect();
        assert!(MixedTags::new(&many).unwrap_err().to_string().contains("above the limit of 64"));
    }

    #[test]
    fn nodes_and_applications_have_no_case() {
        assert_eq!(Scope::node("Web-1"), Scope::node("web-1"));
        assert_eq!(Scope::application("Payment"), Scope::application("PAYMENT"));
        assert_ne!(Scope::node("a").interface, Scope::application("a").interface);
    }

    #[test]
    fn what_is_kept_for_clients_has_a_limit() {
        let origin = |id: usize, document: usize| Origin {
            scope: Scope::node("n"),
            id: "x".repeat(id).into(),
            document: "x".repeat(document).into(),
            other_tags: Box::default(),
            service: None,
            node: None,
        };
        let (name, document) = (limit::ORIGIN_NAME_OCTETS_MAX, limit::ORIGIN_DOCUMENT_OCTETS_MAX);
        assert!(origin(name, document).checked().is_ok());
        assert_eq!(origin(name + 1, 0).checked().unwrap_err().field, "origin.id");
        assert_eq!(origin(0, document + 1).checked().unwrap_err().field, "origin.document");
        assert_eq!(Interface::parse("eureka"), Some(Interface::Eureka));
    }

    #[test]
    fn what_no_interface_makes_is_no_origin() {
        let origin = |scope: Scope, other_tags: Vec<&str>| {
            let other_tags = other_tags.into_iter().map(Into::into).collect();
            Origin {
                scope,
                id: "a".into(),
                document: "{}".into(),
                other_tags,
                service: None,
                node: None,
            }
            .checked()
        };
        let named = |interface, name: &str| Scope { interface, name: name.into() };
        assert!(origin(named(Interface::Consul, "web-1"), vec!["a.b", "c.d"]).is_ok());
        assert!(origin(named(Interface::Eureka, "WEB"), vec![]).is_ok());
        let long = "x".repeat(limit::ORIGIN_DOCUMENT_OCTETS_MAX + 1);
        let many: Vec<_> = (0..=limit::INSTANCE_TAGS_MAX).map(|n| format!("a.{n:03}")).collect();
        for (scope, tags, field, problem) in [
            (named(Interface::Consul, "Web"), vec![], "origin.node", "is not in lower case"),
            (named(Interface::Eureka, "Web"), vec![], "origin.application", "is not in upper case"),
            (Scope::node("n"), vec!["A.b"], "origin.other_tags", "is not in lower case"),
            (Scope::node("n"), vec!["b.b", "a.b"], "origin.other_tags", "not in its order"),
            (Scope::node("n"), vec!["a.b", "a.b"], "origin.other_tags", "is there twice"),
            (Scope::node("n"), vec![&*long], "origin.other_tags", "limit of 131072"),
            (
                Scope::node("n"),
                many.iter().map(|tag| &**tag).collect(),
                "origin.other_tags",
                "limit of 64",
            ),
        ] {
            let refusal = origin(scope, tags).unwrap_err();
            assert_eq!(refusal.field, field);
            assert!(refusal.problem.contains(problem), "{refusal}");
        }
    }
}
