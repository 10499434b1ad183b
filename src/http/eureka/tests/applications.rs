//! Lists of instances as clients read them: a server sends these and takes none.

use smol_str::SmolStr;

use crate::{
    http::eureka::{body::Instance, negotiate::Form, render, tree::Node},
    model::Invalid,
};

/// The instances of one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Application {
    pub(super) name: SmolStr,
    pub(super) instances: Vec<Instance>,
}

/// All applications, or those that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Applications {
    pub(super) version: u64,
    pub(super) hashcode: SmolStr,
    pub(super) applications: Vec<Application>,
}

/// The instances with their applications' names.
pub(super) fn named(all: &[Application]) -> impl Iterator<Item = (SmolStr, &Instance)> {
    all.iter().flat_map(|one| one.instances.iter().map(|each| (one.name.clone(), each)))
}

// === impl Application ===

impl Application {
    pub(super) fn written(&self, form: Form) -> Vec<u8> {
        render::application(form, named(std::slice::from_ref(self))).flatten().collect()
    }

    /// The application that is said; its instances one by one or as a list.
    fn read(node: &Node) -> Result<Self, Invalid> {
        let name = node.child("name").map_or("", Node::text).into();
        let instances = node.all("instance").map(Instance::read).collect::<Result<_, _>>()?;
        Ok(Self { name, instances })
    }
}

// === impl Applications ===

impl Applications {
    pub(super) fn written(&self, form: Form) -> Vec<u8> {
        let Self { version, hashcode, applications } = self;
        render::applications(form, *version, hashcode, named(applications)).flatten().collect()
    }

    /// The applications that are said; one by one or as a list.
    pub(super) fn read(node: &Node) -> Result<Self, Invalid> {
        // XStream escapes the underscore, and its escapes are gone from names of XML by now.
        let either = |name, plain| node.child(name).or(node.child(plain));
        let version = either("versions__delta", "versions_delta").map_or("", Node::text);
        let hashcode = either("apps__hashcode", "apps_hashcode").map_or("", Node::text).into();
        let all = node.all("application").map(Application::read);
        let version = version.parse().unwrap_or(0);
        Ok(Self { version, hashcode, applications: all.collect::<Result<_, _>>()? })
    }
}
