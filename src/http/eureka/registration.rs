//! What an instance must say of itself, asked in the order and refused in the words of Eureka.

use smol_str::SmolStr;

use super::{
    body::{DataCenterInfo, Instance},
    error::EurekaError,
};
use crate::model::Invalid;

/// The instance, when it may be registered under that application, with what follows from the rest
/// filled in: its id where it sent none.
///
/// # Errors
/// The first of what is missing (400), or the name that differs from the path's.
pub(crate) fn admit(app: &str, mut instance: Instance) -> Result<Instance, EurekaError> {
    let app = app.to_uppercase();
    let is_there = |text: &Option<SmolStr>| text.as_ref().is_some_and(|text| !text.is_empty());
    let missing = |text| Err(EurekaError::bad_request(text));
    let Some(id) = instance.id().map(SmolStr::new) else { return missing("Missing instanceId") };
    if !is_there(&instance.host_name) {
        return missing("Missing hostname");
    }
    if !is_there(&instance.ip_addr) {
        return missing("Missing ip address");
    }
    let Some(named) = instance.app.as_ref().filter(|named| !named.is_empty()) else {
        return missing("Missing appName");
    };
    if *named != app {
        let shown = |name: &str| Invalid::new("", name, "").value; // not longer than a line
        let (path, body) = (shown(&app), shown(named));
        let text = format!("Mismatched appName, expecting {path} but was {body}");
        return Err(EurekaError::bad_request(text));
    }
    match &mut instance.data_center_info {
        None => return missing("Missing dataCenterInfo"),
        Some(DataCenterInfo::Unnamed) => return missing("Missing dataCenterInfo Name"),
        Some(DataCenterInfo::Amazon(metadata)) => {
            if metadata.get("instance-id").is_none_or(str::is_empty) {
                metadata.insert("instance-id".into(), id.clone());
            }
        }
        Some(DataCenterInfo::MyOwn | DataCenterInfo::Netflix) => {}
    }
    instance.instance_id = Some(id);
    Ok(instance)
}
