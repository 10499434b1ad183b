//! Maintenance of a node.

use crate::http::consul::routes::testing::Rig;

const MAINTENANCE: &str = "/v1/agent/maintenance";

#[tokio::test]
async fn a_node_in_maintenance_takes_its_services_out_of_the_answers() {
    let rig = Rig::new();
    rig.put("/v1/agent/service/register", r#"{"Name":"web"}"#).await;
    rig.put(&format!("{MAINTENANCE}?enable=true&reason=r"), "").await;
    let revision = rig.revision();
    rig.put(&format!("{MAINTENANCE}?enable=true&reason=other"), "").await;
    assert_eq!(rig.revision(), revision);
    assert_eq!(rig.checks(), [r#"_node_maintenance=critical """#]);
    assert_eq!(rig.services(), ["web web/web 192.0.2.7:0 down"]);
    rig.put("/v1/agent/service/register", r#"{"Name":"late"}"#).await;
    assert_eq!(rig.services()[0], "late late/late 192.0.2.7:0 down");
    rig.put(&format!("{MAINTENANCE}?enable=false"), "").await;
    rig.put(&format!("{MAINTENANCE}?enable=false"), "").await;
    assert_eq!(rig.checks(), [""; 0]);
    assert_eq!(rig.services()[1], "web web/web 192.0.2.7:0 up");
    assert_eq!(rig.snapshot().nodes.len(), 0);
    rig.put(&format!("{MAINTENANCE}?enable=true"), "").await;
    rig.put("/v1/agent/check/deregister/_node_maintenance", "").await;
    assert_eq!(rig.snapshot().nodes.len(), 0);
    rig.refused(MAINTENANCE, "", 400, "Missing value for enable").await;
    let text = "Invalid value for enable: \"maybe\"";
    rig.refused(&format!("{MAINTENANCE}?enable=maybe"), "", 400, text).await;
}
