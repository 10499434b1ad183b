//! The limits of the registry: how many instances, services and nodes there may be.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::Draft;
use crate::{
    model::{Instance, Invalid, ServiceName, limit},
    registry::RegistryError,
};

impl Draft<'_> {
    /// Refuses instances that would be one too many, or are there twice.
    pub(super) fn check_limits(
        &mut self,
        instances: &[Arc<Instance>],
    ) -> Result<(), RegistryError> {
        let refuse = |field, count: usize, limit: usize, what| {
            let problem = format!("{what}, above the limit of {limit}");
            Err(RegistryError::Limit(Invalid::new(field, count, problem)))
        };
        let mut new_by_service: HashMap<&ServiceName, usize> = HashMap::new();
        let mut named = HashSet::with_capacity(instances.len());
        let mut new_nodes = 0;
        for (index, instance) in instances.iter().enumerate() {
            if !named.insert((&instance.service, &instance.id)) {
                let refusal = Invalid::new(format!("[{index}]"), instance.key(), "is there twice");
                return Err(RegistryError::Invalid(refusal));
            }
            if instance.service.is_nodes() {
                new_nodes += usize::from(self.node(&instance.id).is_none());
                continue;
            }
            if self.draft_of(&instance.service).member(&instance.id).is_none() {
                *new_by_service.entry(&instance.service).or_default() += 1;
            }
        }
        let (mut new_instances, mut new_services) = (0, 0);
        for (service, new) in new_by_service {
            let draft = self.draft_of(service);
            let size = draft.members.len() + new;
            new_services += usize::from(draft.is_empty());
            new_instances += new;
            if size > limit::SERVICE_INSTANCES_MAX {
                let what = format!("instances of `{service}` there would be");
                return refuse("instance", size, limit::SERVICE_INSTANCES_MAX, what);
            }
        }
        let nodes = self.node_count + new_nodes;
        if new_nodes > 0 && nodes > limit::NODES_MAX {
            let what = "nodes with a state of their own there would be".to_owned();
            return refuse("node", nodes, limit::NODES_MAX, what);
        }
        let all = self.counts.instances() + new_instances;
        if all > limit::INSTANCES_MAX {
            let what = "instances in the registry there would be".to_owned();
            return refuse("instance", all, limit::INSTANCES_MAX, what);
        }
        self.check_service_limit(new_services)
    }

    pub(super) fn check_service_limit(&self, new_services: usize) -> Result<(), RegistryError> {
        let services = self.service_count + new_services;
        if services > limit::SERVICES_MAX {
            let limit = limit::SERVICES_MAX;
            let problem = format!("services there would be, above the limit of {limit}");
            return Err(RegistryError::Limit(Invalid::new("service", services, problem)));
        }
        Ok(())
    }
}
