//! An instance, as it registers itself and as clients are shown it.

use serde::Serialize;
use smol_str::SmolStr;

use super::{
    ActionType, DataCenterInfo, InstanceStatus, LeaseInfo, Metadata, Port,
    field::{as_text, as_text_option, capitals, int, is_true, long, text},
};
use crate::{http::eureka::tree::Node, model::Invalid};

/// One instance. What is `None` was not said, and is not written; an empty string was sent as one.
/// Fields are in the order in which Eureka writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instance {
    /// Its name, unique within the application; see [`Instance::id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance_id: Option<SmolStr>,
    /// Its host name, or an address in place of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host_name: Option<SmolStr>,
    /// The application it belongs to, in capitals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<SmolStr>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ip_addr: Option<SmolStr>,
    /// A number of its owner's; deprecated by Eureka.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<SmolStr>,
    /// Its state; up when nothing is said.
    pub(crate) status: InstanceStatus,
    /// The state that an operator put in place of its own; unknown for none.
    pub(crate) overridden_status: InstanceStatus,
    /// Its port for plain connections.
    pub(crate) port: Port,
    /// Its port for TLS.
    pub(crate) secure_port: Port,
    /// 1, always; deprecated by Eureka.
    pub(crate) country_id: i32,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_center_info: Option<DataCenterInfo>,
    /// How long it is believed to live; Eureka's default when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease_info: Option<LeaseInfo>,
    /// What its owner wants others to know.
    pub(crate) metadata: Metadata,
    /// The group of applications it belongs to, in capitals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_group_name: Option<SmolStr>,
    /// Its page for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) home_page_url: Option<SmolStr>,
    /// The page that tells what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status_page_url: Option<SmolStr>,
    /// The page that tells whether it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) health_check_url: Option<SmolStr>,
    /// The same over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secure_health_check_url: Option<SmolStr>,
    /// The names it answers to, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vip_address: Option<SmolStr>,
    /// The same over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secure_vip_address: Option<SmolStr>,
    /// Whether it is the Eureka server itself.
    #[serde(serialize_with = "as_text")]
    pub(crate) is_coordinating_discovery_server: bool,
    /// When the server last changed it, milliseconds since the Unix epoch.
    #[serde(serialize_with = "as_text_option", skip_serializing_if = "Option::is_none")]
    pub(crate) last_updated_timestamp: Option<i64>,
    /// When its owner last changed it, milliseconds since the Unix epoch.
    #[serde(serialize_with = "as_text_option", skip_serializing_if = "Option::is_none")]
    pub(crate) last_dirty_timestamp: Option<i64>,
    /// What happened to it; clients need it in a delta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action_type: Option<ActionType>,
    /// Its auto scaling group at Amazon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asg_name: Option<SmolStr>,
}

// === impl Instance ===

impl Instance {
    /// The name that it goes by: the id that it was given, else Amazon's, else its host name. Old
    /// clients send no id.
    pub(crate) fn id(&self) -> Option<&str> {
        let amazon = || self.data_center_info.as_ref().and_then(DataCenterInfo::instance_id);
        let given = self.instance_id.as_deref().filter(|id| !id.is_empty());
        given.or_else(amazon).or(self.host_name.as_deref()).filter(|id| !id.is_empty())
    }

    /// The instance that is said. What is not known is left out; the last of what is said twice is
    /// believed.
    ///
    /// # Errors
    /// When a number is none, or the data centre has a name that breaks clients.
    pub(crate) fn read(node: &Node) -> Result<Self, Invalid> {
        let mut instance = Self::default();
        for (name, value) in node.children() {
            instance.set(name, value)?;
        }
        Ok(instance)
    }

    fn set(&mut self, name: &str, value: &Node) -> Result<(), Invalid> {
        match name {
            "instanceId" => self.instance_id = text(value),
            "hostName" => self.host_name = text(value),
            "app" => self.app = capitals(value),
            "ipAddr" => self.ip_addr = text(value),
            "sid" => self.sid = text(value),
            "status" => self.status = InstanceStatus::parse(value.text()),
            "overriddenStatus" | "overriddenstatus" => {
                self.overridden_status = InstanceStatus::parse(value.text());
            }
            "port" => self.port = Port::read(name, value, Port::DEFAULT)?,
            "securePort" => self.secure_port = Port::read(name, value, Port::DEFAULT_SECURE)?,
            "countryId" => self.country_id = int(name, value)?.unwrap_or(self.country_id),
            "dataCenterInfo" => self.data_center_info = Some(DataCenterInfo::read(name, value)?),
            "leaseInfo" => self.lease_info = Some(LeaseInfo::read(name, value)?),
            "metadata" => self.metadata = Metadata::read(value),
            "appGroupName" => self.app_group_name = capitals(value),
            "homePageUrl" => self.home_page_url = text(value),
            "statusPageUrl" => self.status_page_url = text(value),
            "healthCheckUrl" => self.health_check_url = text(value),
            "secureHealthCheckUrl" => self.secure_health_check_url = text(value),
            "vipAddress" => self.vip_address = text(value),
            "secureVipAddress" => self.secure_vip_address = text(value),
            "isCoordinatingDiscoveryServer" => {
                self.is_coordinating_discovery_server = is_true(value.text());
            }
            "lastUpdatedTimestamp" => self.last_updated_timestamp = long(name, value)?,
            "lastDirtyTimestamp" => self.last_dirty_timestamp = long(name, value)?,
            "actionType" => self.action_type = ActionType::parse(value.text()),
            "asgName" => self.asg_name = text(value),
            _ => {} // newer clients may say more
        }
        Ok(())
    }
}

impl Default for Instance {
    /// What Eureka takes for an instance of which nothing is said.
    fn default() -> Self {
        Self {
            instance_id: None,
            host_name: None,
            app: None,
            ip_addr: None,
            sid: None,
            status: InstanceStatus::Up,
            overridden_status: InstanceStatus::Unknown,
            port: Port::DEFAULT,
            secure_port: Port::DEFAULT_SECURE,
            country_id: 1,
            data_center_info: None,
            lease_info: None,
            metadata: Metadata::default(),
            app_group_name: None,
            home_page_url: None,
            status_page_url: None,
            health_check_url: None,
            secure_health_check_url: None,
            vip_address: None,
            secure_vip_address: None,
            is_coordinating_discovery_server: false,
            last_updated_timestamp: None,
            last_dirty_timestamp: None,
            action_type: None,
            asg_name: None,
        }
    }
}
