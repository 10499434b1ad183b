//! The three interfaces, and the same registrations by each of them.

use std::{fmt::Write, fs, net::SocketAddr, path::Path};

use anyhow::Result;
use serde_json::{Value, json};

use super::CONNECTIONS;
use crate::{
    asking::{Asked, Requests},
    data::Data,
    part::Env,
};

/// An interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Rollcall's own.
    Native,
    /// Consul's.
    Consul,
    /// Eureka's.
    Eureka,
}

/// All of them.
pub(super) const DOORS: [Door; 3] = [Door::Native, Door::Consul, Door::Eureka];

// === impl Door ===

impl Door {
    /// What the tables call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Consul => "Consul's",
            Self::Eureka => "Eureka's",
        }
    }

    /// Registers all of `data` with `server`, one by one.
    ///
    /// # Errors
    /// When it refuses.
    pub(super) fn fill(
        self,
        env: &Env,
        server: SocketAddr,
        data: Data,
        files: &Path,
    ) -> Result<Asked> {
        let file = files.join("registrations");
        let mut text = String::new();
        for service in 0..data.services {
            for instance in 0..data.instances {
                let (method, path, body) = self.registration(service, instance);
                writeln!(text, "{method} {path} {body}")?;
            }
        }
        fs::write(&file, text)?;
        let all = Requests { file: &file, connections: CONNECTIONS, time: None, header: None };
        all.ask(env, server)
    }

    fn registration(self, service: u32, instance: u32) -> (&'static str, String, Value) {
        let (name, port) = (Data::service(service), 8_080 + instance);
        let [address, _] = Data::addresses(service, instance);
        let id = format!("{name}-{instance}");
        match self {
            Self::Native => {
                let body = json!({
                    "addresses": [address], "port": port, "tags": ["v1"],
                    "meta": {"version": "1.4.2"}, "checks": [{"type": "ttl", "ttl": "24h"}],
                    "initial_status": "passing",
                });
                ("PUT", format!("/api/v1/services/{name}/instances/{id}"), body)
            }
            Self::Consul => {
                let body = json!({
                    "Name": name, "ID": id, "Address": address, "Port": port, "Tags": ["v1"],
                    "Meta": {"version": "1.4.2"}, "Check": {"TTL": "24h", "Status": "passing"},
                });
                ("PUT", "/v1/agent/service/register".to_owned(), body)
            }
            Self::Eureka => {
                let body = json!({ "instance": {
                    "instanceId": id, "hostName": address, "app": name, "ipAddr": address,
                    "status": "UP", "port": {"$": port, "@enabled": "true"}, "vipAddress": name,
                    "metadata": {"version": "1.4.2"},
                    "dataCenterInfo": {
                        "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                        "name": "MyOwn",
                    },
                    "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 86_400},
                }});
                ("POST", format!("/eureka/apps/{name}"), body)
            }
        }
    }
}
