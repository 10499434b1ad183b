//! Short ways to read and to render.

use serde_json::Value;

use super::applications::{Application, Applications};
use crate::http::eureka::{
    body::{ActionType, DataCenterInfo, Instance, InstanceStatus, LeaseInfo, Metadata, Port},
    negotiate::Form,
    read, render,
};

/// The instance of a body.
pub(super) fn instance(form: Form, body: impl AsRef<[u8]>) -> Instance {
    read::instance(form, body.as_ref()).unwrap_or_else(|error| panic!("{}", error.text))
}

/// The instance of these fields.
pub(super) fn of_json(fields: &Value) -> Instance {
    instance(Form::Json, serde_json::json!({ "instance": fields }).to_string())
}

/// The instance of these elements.
pub(super) fn of_xml(elements: &str) -> Instance {
    instance(Form::Xml, format!("<instance>{elements}</instance>"))
}

/// The applications of a body.
pub(super) fn applications(form: Form, body: &[u8]) -> Applications {
    let tree = read::tree(form, body).unwrap_or_else(|error| panic!("{}", error.text));
    Applications::read(read::root(&tree, "applications").unwrap()).unwrap()
}

/// The JSON of an instance.
pub(super) fn shown(instance: &Instance) -> Value {
    serde_json::from_slice(&render::instance(Form::Json, instance)).unwrap()
}

/// XML without the blanks that only people need.
pub(super) fn compact(xml: &str) -> String {
    xml.lines().map(str::trim).collect()
}

/// Metadata with these entries.
pub(super) fn metadata(entries: &[(&str, &str)]) -> Metadata {
    entries.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

/// Three instances that have all fields between them.
pub(super) fn sample() -> Applications {
    let payment = Application { name: "PAYMENT".into(), instances: vec![full(), amazon()] };
    let gone = Instance {
        host_name: Some("10.0.1.7".into()),
        app: Some("JSPAY".into()),
        status: InstanceStatus::Down,
        port: Port { number: 0, enabled: false },
        secure_port: Port { number: 443, enabled: true },
        data_center_info: Some(DataCenterInfo::Netflix),
        action_type: Some(ActionType::Deleted),
        ..Instance::default()
    };
    let jspay = Application { name: "JSPAY".into(), instances: vec![gone] };
    Applications {
        version: 42,
        hashcode: "DOWN_1_STARTING_1_UP_1_".into(),
        applications: vec![payment, jspay],
    }
}

fn full() -> Instance {
    let entries = [("management.port", "8080"), ("canary_weight", "5"), ("why?", "<\"&'>")];
    Instance {
        instance_id: Some("10.0.1.6:payment:8080".into()),
        host_name: Some("10.0.1.6".into()),
        app: Some("PAYMENT".into()),
        ip_addr: Some("10.0.1.6".into()),
        port: Port { number: 8080, enabled: true },
        secure_port: Port { number: 9443, enabled: false },
        data_center_info: Some(DataCenterInfo::MyOwn),
        lease_info: Some(LeaseInfo {
            renewal_interval_in_secs: 1,
            duration_in_secs: 3,
            registration_timestamp: 1_795_202_611_151,
            last_renewal_timestamp: 1_795_202_614_151,
            eviction_timestamp: 0,
            service_up_timestamp: 1_795_202_611_151,
        }),
        metadata: metadata(&entries),
        app_group_name: Some("MONEY".into()),
        home_page_url: Some("http://10.0.1.6:8080/?a=1&b=2".into()),
        status_page_url: Some("http://10.0.1.6:8080/info".into()),
        health_check_url: Some("http://10.0.1.6:8080/health".into()),
        secure_health_check_url: Some("".into()),
        vip_address: Some("payment,pay".into()),
        secure_vip_address: Some("payment".into()),
        last_updated_timestamp: Some(1_795_202_611_151),
        last_dirty_timestamp: Some(1_795_202_611_150),
        action_type: Some(ActionType::Added),
        ..Instance::default()
    }
}

fn amazon() -> Instance {
    let entries = [("instance-id", "i-0a1b2c3d"), ("availability-zone", "us-east-1c")];
    Instance {
        instance_id: Some("i-0a1b2c3d".into()),
        host_name: Some("ec2-10-0-1-9.compute-1.amazonaws.com".into()),
        app: Some("PAYMENT".into()),
        ip_addr: Some("10.0.1.9".into()),
        sid: Some("na".into()),
        status: InstanceStatus::Starting,
        overridden_status: InstanceStatus::OutOfService,
        data_center_info: Some(DataCenterInfo::Amazon(metadata(&entries))),
        is_coordinating_discovery_server: true,
        action_type: Some(ActionType::Modified),
        asg_name: Some("payment-v001".into()),
        ..Instance::default()
    }
}
