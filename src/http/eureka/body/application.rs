//! An application, and all of them.

use serde::Serialize;
use smol_str::SmolStr;

use super::{Instance, field::as_text};

/// The instances of one application. There is at least one: clients trip over an application
/// without any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Application {
    /// Its name, in capitals.
    pub(crate) name: SmolStr,
    /// Its instances.
    #[serde(rename = "instance")]
    pub(crate) instances: Vec<Instance>,
}

/// All applications, or those that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Applications {
    /// The number of the change that the list shows.
    #[serde(rename = "versions__delta", serialize_with = "as_text")]
    pub(crate) version: u64,
    /// How many instances are in which state, over all applications, those that are not in this
    /// list as well.
    #[serde(rename = "apps__hashcode")]
    pub(crate) hashcode: SmolStr,
    /// The applications.
    #[serde(rename = "application")]
    pub(crate) applications: Vec<Application>,
}

/// A server sends lists and takes none; they are read to prove that what is sent can be.
#[cfg(test)]
mod reading {
    use super::{Application, Applications};
    use crate::{
        http::eureka::{body::Instance, tree::Node},
        model::Invalid,
    };

    impl Application {
        /// The application that is said; its instances one by one or as a list.
        pub(crate) fn read(node: &Node) -> Result<Self, Invalid> {
            let name = node.child("name").map_or("", Node::text).into();
            let instances = node.all("instance").map(Instance::read).collect::<Result<_, _>>()?;
            Ok(Self { name, instances })
        }
    }

    impl Applications {
        /// The applications that are said; one by one or as a list.
        pub(crate) fn read(node: &Node) -> Result<Self, Invalid> {
            // XStream escapes the underscore, and its escapes are gone from names of XML by now.
            let either = |name, plain| node.child(name).or(node.child(plain));
            let version = either("versions__delta", "versions_delta").map_or("", Node::text);
            let hashcode = either("apps__hashcode", "apps_hashcode").map_or("", Node::text).into();
            let all = node.all("application").map(Application::read);
            let version = version.parse().unwrap_or(0);
            Ok(Self { version, hashcode, applications: all.collect::<Result<_, _>>()? })
        }
    }
}
