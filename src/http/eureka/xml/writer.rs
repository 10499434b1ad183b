//! The nouns as XML, each element where and as Eureka has it.

use std::{collections::BTreeMap, fmt::Display};

use quick_xml::{
    Writer,
    events::{BytesEnd, BytesStart, BytesText, Event},
};
use smol_str::SmolStr;

use super::{chars::escape, name::encode};
use crate::http::eureka::body::{ActionType, DataCenterInfo, Instance, LeaseInfo, Metadata, Port};

/// XML that grows.
pub(in crate::http::eureka) struct XmlWriter(Writer<Vec<u8>>);

// === impl XmlWriter ===

impl XmlWriter {
    /// Goes on after what is written.
    pub(in crate::http::eureka) fn over(written: Vec<u8>) -> Self {
        Self(Writer::new(written))
    }

    /// All that is written.
    pub(in crate::http::eureka) fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner()
    }

    /// Begins an element, whose name is written as it is.
    pub(in crate::http::eureka) fn open(&mut self, name: &str) {
        self.put(Event::Start(BytesStart::new(name)));
    }

    /// An element with nothing but text within.
    pub(in crate::http::eureka) fn leaf(&mut self, name: &str, text: &str) {
        self.leaf_with(BytesStart::new(name), text);
    }

    /// `<instance>`.
    pub(in crate::http::eureka) fn instance(&mut self, instance: &Instance) {
        self.open("instance");
        self.said("instanceId", instance.instance_id.as_ref());
        self.said("hostName", instance.host_name.as_ref());
        self.said("app", instance.app.as_ref());
        self.said("ipAddr", instance.ip_addr.as_ref());
        self.said("sid", instance.sid.as_ref());
        self.leaf("status", instance.status.as_str());
        self.leaf("overriddenstatus", instance.overridden_status.as_str());
        self.port("port", instance.port);
        self.port("securePort", instance.secure_port);
        self.value("countryId", instance.country_id);
        if let Some(info) = &instance.data_center_info {
            self.data_center_info(info);
        }
        if let Some(lease) = &instance.lease_info {
            self.lease_info(lease);
        }
        self.metadata(&instance.metadata);
        self.said("appGroupName", instance.app_group_name.as_ref());
        self.said("homePageUrl", instance.home_page_url.as_ref());
        self.said("statusPageUrl", instance.status_page_url.as_ref());
        self.said("healthCheckUrl", instance.health_check_url.as_ref());
        self.said("secureHealthCheckUrl", instance.secure_health_check_url.as_ref());
        self.said("vipAddress", instance.vip_address.as_ref());
        self.said("secureVipAddress", instance.secure_vip_address.as_ref());
        let is_coordinating = instance.is_coordinating_discovery_server;
        self.value("isCoordinatingDiscoveryServer", is_coordinating);
        self.said("lastUpdatedTimestamp", instance.last_updated_timestamp.as_ref());
        self.said("lastDirtyTimestamp", instance.last_dirty_timestamp.as_ref());
        self.said("actionType", instance.action_type.map(ActionType::as_str).as_ref());
        self.said("asgName", instance.asg_name.as_ref());
        self.close("instance");
    }

    /// An element for each entry, within one.
    pub(in crate::http::eureka) fn table(
        &mut self,
        name: &str,
        entries: &BTreeMap<SmolStr, SmolStr>,
    ) {
        self.open(name);
        entries.iter().for_each(|(key, value)| self.leaf(&encode(key), value));
        self.close(name);
    }

    /// Ends an element.
    pub(in crate::http::eureka) fn close(&mut self, name: &str) {
        self.put(Event::End(BytesEnd::new(name)));
    }

    fn port(&mut self, name: &str, port: Port) {
        let enabled = if port.enabled { "true" } else { "false" };
        let start = BytesStart::new(name).with_attributes([("enabled", enabled)]);
        self.leaf_with(start, &port.number.to_string());
    }

    fn data_center_info(&mut self, info: &DataCenterInfo) {
        const NAME: &str = "dataCenterInfo";
        self.put(Event::Start(BytesStart::new(NAME).with_attributes([("class", info.class())])));
        self.said("name", info.name().as_ref());
        if let DataCenterInfo::Amazon(metadata) = info {
            self.metadata(metadata);
        }
        self.close(NAME);
    }

    fn lease_info(&mut self, lease: &LeaseInfo) {
        self.open("leaseInfo");
        self.value("renewalIntervalInSecs", lease.renewal_interval_in_secs);
        self.value("durationInSecs", lease.duration_in_secs);
        self.value("registrationTimestamp", lease.registration_timestamp);
        self.value("lastRenewalTimestamp", lease.last_renewal_timestamp);
        self.value("evictionTimestamp", lease.eviction_timestamp);
        self.value("serviceUpTimestamp", lease.service_up_timestamp);
        self.close("leaseInfo");
    }

    fn metadata(&mut self, metadata: &Metadata) {
        const NAME: &str = "metadata";
        if metadata.is_empty() {
            let class = [("class", Metadata::EMPTY_CLASS)];
            return self.put(Event::Empty(BytesStart::new(NAME).with_attributes(class)));
        }
        self.open(NAME);
        metadata.iter().for_each(|(key, value)| self.leaf(&encode(key), value));
        self.close(NAME);
    }

    fn said<T: Display>(&mut self, name: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    fn value(&mut self, name: &str, value: impl Display) {
        self.leaf(name, &smol_str::format_smolstr!("{value}"));
    }

    fn leaf_with(&mut self, start: BytesStart<'_>, text: &str) {
        let end = start.to_end().into_owned();
        self.put(Event::Start(start));
        self.put(Event::Text(BytesText::from_escaped(escape(text))));
        self.put(Event::End(end));
    }

    fn put(&mut self, event: Event<'_>) {
        self.0.write_event(event).expect("memory takes all that is written");
    }
}

impl Default for XmlWriter {
    fn default() -> Self {
        Self::over(Vec::new())
    }
}
