//! How a field may be spelled, in both forms.

use serde_json::{Value, json};

use super::support::{applications, metadata, of_json, of_xml};
use crate::http::eureka::{
    body::{ActionType, DataCenterInfo, Instance, InstanceStatus, LeaseInfo, Port},
    negotiate::Form,
    read,
};

/// What both spellings say must be what the field of a default instance is set to.
fn assert_said(json: &Value, xml: &str, set: impl FnOnce(&mut Instance)) {
    let mut expected = Instance::default();
    set(&mut expected);
    assert_eq!(of_json(json), expected, "{json}");
    assert_eq!(of_xml(xml), expected, "{xml}");
}

#[test]
fn a_number_may_be_a_string() {
    let said = |instance: &mut Instance| {
        instance.country_id = 7;
        instance.last_dirty_timestamp = Some(1_795_202_611_420);
        instance.last_updated_timestamp = Some(-1);
    };
    assert_said(
        &json!({"countryId": "7", "lastDirtyTimestamp": 1_795_202_611_420_u64,
                "lastUpdatedTimestamp": -1}),
        "<countryId> 7\n</countryId><lastDirtyTimestamp>1795202611420</lastDirtyTimestamp>\
         <lastUpdatedTimestamp>-1</lastUpdatedTimestamp>",
        said,
    );
    assert_said(
        &json!({"countryId": 7.0, "lastDirtyTimestamp": "1795202611420.75",
                "lastUpdatedTimestamp": "-1"}),
        "<countryId>7e0</countryId><lastDirtyTimestamp>1795202611420.75</lastDirtyTimestamp>\
         <lastUpdatedTimestamp>-1.0</lastUpdatedTimestamp>",
        said,
    );
}

#[test]
fn an_empty_number_is_one_left_out() {
    assert_said(
        &json!({"countryId": "", "lastDirtyTimestamp": null, "lastUpdatedTimestamp": " ",
                "port": {"$": "", "@enabled": true}, "leaseInfo": {"durationInSecs": ""}}),
        "<countryId/><lastDirtyTimestamp></lastDirtyTimestamp><port enabled='true'/>\
         <leaseInfo><durationInSecs/></leaseInfo>",
        |instance| instance.lease_info = Some(LeaseInfo::default()),
    );
}

#[test]
fn what_is_no_number_is_refused_by_name() {
    for (fields, text) in [
        (json!({"countryId": "x"}), "`instance.countryId`: `x` is no whole number"),
        (
            json!({"port": {"$": 2_147_483_648_u32}}),
            "`instance.port`: `2147483648` is outside the limits of -2147483648 to 2147483647",
        ),
        (
            json!({"leaseInfo": {"durationInSecs": "90s"}}),
            "`instance.leaseInfo.durationInSecs`: `90s` is no whole number",
        ),
        (
            json!({"lastDirtyTimestamp": "1e300"}),
            "`instance.lastDirtyTimestamp`: `1e300` is no whole number",
        ),
    ] {
        let body = json!({"instance": fields}).to_string();
        let error = read::instance(Form::Json, body.as_bytes()).unwrap_err();
        assert_eq!(error.text, text);
    }
}

#[test]
fn a_port_is_enabled_by_a_string_a_boolean_or_an_attribute() {
    let port = |number, enabled| Port { number, enabled };
    for (json, xml, expected) in [
        (json!({"$": 80, "@enabled": "true"}), "<port enabled='true'>80</port>", port(80, true)),
        (json!({"$": "80", "@enabled": true}), "<port enabled='TRUE'>80</port>", port(80, true)),
        (json!({"$": 80, "@enabled": false}), "<port enabled=\"false\">80</port>", port(80, false)),
        (json!({"$": -1, "@enabled": "no"}), "<port enabled='no'>-1</port>", port(-1, false)),
        (json!(80), "<port>80</port>", port(80, true)),
        (json!("80"), "<port> 80 </port>", port(80, true)),
    ] {
        let said = |instance: &mut Instance| instance.port = expected;
        assert_said(&json!({"port": json}), xml, said);
    }
    let said = |instance: &mut Instance| instance.secure_port = port(443, false);
    assert_said(&json!({"securePort": {"$": 443}}), "<securePort>443</securePort>", said);
}

#[test]
fn only_an_enabled_port_that_exists_is_usable() {
    for (number, enabled, usable) in [
        (80, true, Some(80)),
        (65_535, true, Some(65_535)),
        (80, false, None),
        (0, true, None),
        (-1, true, None),
        (65_536, true, None),
    ] {
        assert_eq!(Port { number, enabled }.usable(), usable, "{number} {enabled}");
    }
}

#[test]
fn a_status_may_be_in_any_case_and_what_is_none_is_unknown() {
    for (text, status) in [
        ("UP", InstanceStatus::Up),
        ("down", InstanceStatus::Down),
        ("Out_Of_Service", InstanceStatus::OutOfService),
        (" STARTING ", InstanceStatus::Starting),
        ("UNKNOWN", InstanceStatus::Unknown),
        ("", InstanceStatus::Unknown),
        ("SLEEPY", InstanceStatus::Unknown),
    ] {
        let said = |instance: &mut Instance| instance.status = status;
        assert_said(&json!({"status": text}), &format!("<status>{text}</status>"), said);
        for name in ["overriddenStatus", "overriddenstatus"] {
            let said = |instance: &mut Instance| instance.overridden_status = status;
            assert_said(&json!({name: text}), &format!("<{name}>{text}</{name}>"), said);
        }
    }
}

#[test]
fn a_data_centre_is_known_by_its_name_in_any_case() {
    let amazon = DataCenterInfo::Amazon(metadata(&[("instance-id", "i")]));
    for (json, xml, info) in [
        (json!({"name": "MyOwn"}), "<name>MyOwn</name>", DataCenterInfo::MyOwn),
        (
            json!({"@class": "com.netflix.appinfo.MyDataCenterInfo", "name": "MYOWN",
                   "metadata": {"a": "b"}}),
            "<name>myown</name><metadata><a>b</a></metadata>",
            DataCenterInfo::MyOwn,
        ),
        (
            json!({"metadata": {"instance-id": "i"}, "name": "amazon"}),
            "<metadata><instance-id>i</instance-id></metadata><name> Amazon </name>",
            amazon,
        ),
        (json!({"name": "Netflix"}), "<name>Netflix</name>", DataCenterInfo::Netflix),
        (json!({}), "", DataCenterInfo::Unnamed),
    ] {
        let xml = format!("<dataCenterInfo class='x'>{xml}</dataCenterInfo>");
        let said = |instance: &mut Instance| instance.data_center_info = Some(info);
        assert_said(&json!({"dataCenterInfo": json}), &xml, said);
    }
}

/// Java's clients throw on such a name, and lose all that they fetched with it.
#[test]
fn a_data_centre_that_breaks_clients_is_refused() {
    let body = br#"{"instance": {"dataCenterInfo": {"name": "Basement"}}}"#;
    let text = read::instance(Form::Json, body).unwrap_err().text;
    assert_eq!(
        text,
        "`instance.dataCenterInfo.name`: `Basement` is no data centre; there are Amazon, MyOwn, \
         Netflix"
    );
}

#[test]
fn a_lease_has_its_defaults() {
    let duration = LeaseInfo { duration_in_secs: 3, ..LeaseInfo::default() };
    for (json, xml, lease) in [
        (json!({}), "", LeaseInfo::default()),
        (
            json!({"durationInSecs": "3", "renewalIntervalInSecs": 0}),
            "<durationInSecs>3</durationInSecs><renewalIntervalInSecs>0</renewalIntervalInSecs>",
            duration,
        ),
        (
            json!({"durationInSecs": -5, "evictionDurationInSecs": "x"}),
            "<durationInSecs>-5</durationInSecs><evictionDurationInSecs>x</evictionDurationInSecs>",
            LeaseInfo::default(),
        ),
    ] {
        let xml = format!("<leaseInfo>{xml}</leaseInfo>");
        let said = |instance: &mut Instance| instance.lease_info = Some(lease);
        assert_said(&json!({"leaseInfo": json}), &xml, said);
    }
    assert_said(&json!({"leaseInfo": null}), "", |_| {});
}

#[test]
fn metadata_is_text_whatever_it_was() {
    for (json, xml, entries) in [
        (json!({"@class": "java.util.Collections$EmptyMap"}), "<metadata class='x.Y'/>", &[][..]),
        (json!({}), "<metadata></metadata>", &[]),
        (json!(null), "", &[]),
        (
            json!({"@class": "x", "n": 5, "f": 0.5, "b": true, "none": null, "": "x"}),
            "<metadata><n>5</n><f>0.5</f><b>true</b></metadata>",
            &[("n", "5"), ("f", "0.5"), ("b", "true")],
        ),
        (
            json!({"a_b": "1", "@x": "2", "$": "3", "ns:k": " 4 ", "_": ""}),
            "<metadata><a__b>1</a__b><_.0040x>2</_.0040x><_->3</_-><ns_.003ak> 4 </ns_.003ak>\
             <__/></metadata>",
            &[("a_b", "1"), ("@x", "2"), ("$", "3"), ("ns:k", " 4 "), ("_", "")],
        ),
        (
            json!({"a": ["1", "2"], "o": {"x": 1}}),
            "<metadata><a>1</a><a>2</a><o><x>1</x></o></metadata>",
            &[("a", "2"), ("o", "")],
        ),
    ] {
        let said = |instance: &mut Instance| instance.metadata = metadata(entries);
        assert_said(&json!({"metadata": json}), xml, said);
    }
}

#[test]
fn the_rest_is_left_out_or_in_capitals() {
    assert_said(
        &json!({"app": "payment-é", "appGroupName": "Money", "actionType": "added",
                "isCoordinatingDiscoveryServer": true, "identifyingAttribute": {"x": []},
                "homePageUrl": ""}),
        "<app>payment-é</app><appGroupName>Money</appGroupName><actionType>ADDED</actionType>\
         <isCoordinatingDiscoveryServer>true</isCoordinatingDiscoveryServer>\
         <identifyingAttribute><x/></identifyingAttribute><homePageUrl/>",
        |instance| {
            instance.app = Some("PAYMENT-É".into());
            instance.app_group_name = Some("MONEY".into());
            instance.action_type = Some(ActionType::Added);
            instance.is_coordinating_discovery_server = true;
            instance.home_page_url = Some("".into());
        },
    );
}

#[test]
fn one_instance_and_one_application_may_stand_without_a_list() {
    let one = br#"{"applications": {"versions__delta": 3, "application":
        {"name": "A", "instance": {"instanceId": "i"}}}}"#;
    let list = br#"{"applications": {"versions__delta": "3", "application":
        [{"name": "A", "instance": [{"instanceId": "i"}]}]}}"#;
    let xml = b"<applications><versions__delta>3</versions__delta><application><name>A</name>\
        <instance><instanceId>i</instanceId></instance></application></applications>";
    let one = applications(Form::Json, one);
    assert_eq!((one.version, one.applications.len()), (3, 1));
    assert_eq!(one, applications(Form::Json, list));
    assert_eq!(one, applications(Form::Xml, xml));
}

#[test]
fn a_byte_order_mark_is_none_of_the_body() {
    let json = read::instance(Form::Json, "\u{feff}{\"instance\":{\"app\":\"a\"}}".as_bytes());
    let xml = read::instance(Form::Xml, "\u{feff}<instance><app>a</app></instance>".as_bytes());
    assert_eq!(json.unwrap(), xml.unwrap());
}
