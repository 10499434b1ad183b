//! Whole bodies, octet for octet but for blanks.

use serde_json::{Value, json};

use super::{
    applications::{Application, named},
    support::{applications, compact, instance, metadata, sample},
};
use crate::http::eureka::{
    body::{
        DataCenterInfo, Instance, InstanceStatus, LeaseInfo, Port, Replication, ReplicationAction,
        ReplicationReplies, ReplicationReply,
    },
    hashcode::StatusCounts,
    negotiate::Form,
    read, registration, render,
};

const JSON: &str = include_str!("golden/applications.json");
const XML: &str = include_str!("golden/applications.xml");

#[test]
fn applications_are_written_as_eureka_writes_them() {
    let json: Value = serde_json::from_slice(&sample().written(Form::Json)).unwrap();
    assert_eq!(json, serde_json::from_str::<Value>(JSON).unwrap());
    let xml = String::from_utf8(sample().written(Form::Xml)).unwrap();
    assert_eq!(xml, compact(XML));
}

#[test]
fn applications_are_read_as_they_are_written() {
    assert_eq!(applications(Form::Json, JSON.as_bytes()), sample());
    assert_eq!(applications(Form::Xml, XML.as_bytes()), sample());
}

#[test]
fn fields_are_in_eurekas_order_in_both_forms() {
    let order = |text: &str, before: &str, after: &str| {
        let fields = ["instanceId", "hostName", "app", "ipAddr", "status", "port", "securePort"];
        let at: Vec<_> =
            fields.iter().map(|field| text.find(&format!("{before}{field}{after}"))).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}");
    };
    let all = sample();
    let instance = &all.applications[0].instances[0];
    order(&String::from_utf8(render::instance(Form::Json, instance)).unwrap(), "\"", "\":");
    order(&String::from_utf8(render::instance(Form::Xml, instance)).unwrap(), "</", ">");
}

#[test]
fn one_application_and_one_instance_have_roots_of_their_own() {
    let application: Application = sample().applications.remove(1);
    let instance = &application.instances[0];
    for (body, begin, end) in [
        (application.written(Form::Json), "{\"application\":{\"name\":\"JSPAY\"", "}"),
        (
            application.written(Form::Xml),
            "<application><name>JSPAY</name><instance>",
            "</application>",
        ),
        (render::instance(Form::Json, instance), "{\"instance\":{\"hostName\":", "}}"),
        (render::instance(Form::Xml, instance), "<instance><hostName>", "</instance>"),
    ] {
        let body = String::from_utf8(body).unwrap();
        assert!(body.starts_with(begin) && body.ends_with(end), "{body}");
    }
}

#[test]
fn an_empty_registry_is_an_empty_list_in_both_forms() {
    let hashcode = StatusCounts::default().to_string();
    let whole = |form| {
        let pieces = render::applications(form, 1, &hashcode, named(&[]));
        String::from_utf8(pieces.flatten().collect()).unwrap()
    };
    assert_eq!(
        whole(Form::Json),
        r#"{"applications":{"versions__delta":"1","apps__hashcode":"","application":[]}}"#
    );
    assert_eq!(
        whole(Form::Xml),
        "<applications><versions__delta>1</versions__delta><apps__hashcode></apps__hashcode>\
         </applications>"
    );
}

#[test]
fn a_list_is_made_as_it_is_taken() {
    for form in [Form::Json, Form::Xml] {
        // One application, however large.
        let one = sample().applications.remove(0).instances.remove(0);
        let endless = std::iter::repeat_with(|| ("PAYMENT".into(), &one));
        let mut pieces = render::applications(form, 1, "UP_1_", endless);
        for _ in 0..3 {
            let piece = pieces.next().unwrap();
            assert!((64 << 10..66 << 10).contains(&piece.len()), "{}", piece.len());
        }
    }
}

#[test]
fn the_pieces_of_a_list_are_one_document() {
    let all: Vec<_> = std::iter::repeat_n(sample().applications, 200).flatten().collect();
    for form in [Form::Json, Form::Xml] {
        let pieces: Vec<_> = render::applications(form, 7, "UP_1_", named(&all)).collect();
        assert!(pieces.len() > 3);
        let read = applications(form, &pieces.concat());
        assert_eq!((read.version, &*read.hashcode), (7, "UP_1_"));
        assert_eq!(read.applications, all);
    }
}

#[test]
fn what_spring_cloud_sends_is_shown_as_it_was_sent() {
    let sent = include_str!("golden/spring_cloud.json");
    let instance = registration::admit("payment", instance(Form::Json, sent)).unwrap();
    let shown: Value = serde_json::from_slice(&render::instance(Form::Json, &instance)).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(sent).unwrap());
}

/// Without class, id and lease; Eureka itself answers 400 since 1.3 (hudl/fargo, issue 29).
#[test]
fn what_the_go_client_fargo_sends_is_understood() {
    let sent = instance(Form::Json, include_str!("golden/fargo.json"));
    let admitted = registration::admit("ES-Search", sent).unwrap();
    let empty = || Some("".into());
    let expected = Instance {
        instance_id: Some("i-123456".into()),
        host_name: Some("i-123456".into()),
        app: Some("ES-SEARCH".into()),
        ip_addr: Some("10.0.1.11".into()),
        vip_address: empty(),
        secure_vip_address: empty(),
        port: Port { number: 6000, enabled: true },
        secure_port: Port { number: 0, enabled: false },
        home_page_url: empty(),
        status_page_url: empty(),
        health_check_url: empty(),
        country_id: 0,
        data_center_info: Some(DataCenterInfo::MyOwn),
        lease_info: Some(LeaseInfo::default()),
        metadata: metadata(&[("testkey", "testValue")]),
        ..Instance::default()
    };
    assert_eq!(admitted, expected);
}

#[test]
fn what_a_script_at_amazon_sends_is_understood() {
    let sent = instance(Form::Xml, include_str!("golden/amazon.xml"));
    let entries = [("instance-id", "i-0a1b2c3d"), ("availability-zone", "us-east-1c")];
    let expected = Instance {
        instance_id: None,
        host_name: Some("ec2-10-0-1-9.compute-1.amazonaws.com".into()),
        app: Some("SEARCH & FIND".into()),
        ip_addr: Some("10.0.1.9".into()),
        vip_address: Some("search,search-v2".into()),
        secure_vip_address: Some("search-tls".into()),
        status: InstanceStatus::Up,
        port: Port { number: 8080, enabled: true },
        secure_port: Port { number: 8443, enabled: true },
        status_page_url: Some("http://10.0.1.9/info?a=1&b=2".into()),
        data_center_info: Some(DataCenterInfo::Amazon(metadata(&entries))),
        lease_info: Some(LeaseInfo { duration_in_secs: 45, ..LeaseInfo::default() }),
        metadata: metadata(&[("canary_weight", "5"), ("plain_key", ""), ("cost$ ", "1")]),
        ..Instance::default()
    };
    assert_eq!(sent, expected);
    let admitted = registration::admit("Search & Find", sent).unwrap();
    assert_eq!(admitted.instance_id.as_deref(), Some("i-0a1b2c3d"));
}

#[test]
fn a_batch_of_another_server_is_read_change_by_change() {
    let batch = read::replication_batch(include_bytes!("golden/replication.json")).unwrap();
    let [beat, new, gone, over, back, bad, worse, worst] = &batch.0[..] else {
        panic!("{batch:?}")
    };
    let change = |id: &str, action| Replication {
        app_name: "PAYMENT".into(),
        id: id.into(),
        last_dirty_timestamp: None,
        overridden_status: None,
        status: None,
        instance_info: None,
        action,
    };
    let expected = Replication {
        last_dirty_timestamp: Some(1_795_202_611_420),
        overridden_status: Some(InstanceStatus::Unknown),
        status: Some(InstanceStatus::Up),
        ..change("app-1.example:payment:8080", ReplicationAction::Heartbeat)
    };
    assert_eq!(beat.as_ref(), Ok(&expected));
    let new = new.as_ref().unwrap();
    assert_eq!(
        (new.action, new.last_dirty_timestamp),
        (ReplicationAction::Register, Some(1_795_202_611_421))
    );
    let info = new.instance_info.clone().unwrap();
    assert_eq!((info.app.as_deref(), info.status), (Some("PAYMENT"), InstanceStatus::Starting));
    let cancel = change("app-3.example:payment:8080", ReplicationAction::Cancel);
    assert_eq!(gone.as_ref(), Ok(&cancel));
    let status = Some(InstanceStatus::OutOfService);
    let update = Replication { status, ..change("a", ReplicationAction::StatusUpdate) };
    assert_eq!(over.as_ref(), Ok(&update));
    let status = Some(InstanceStatus::Up);
    let delete = Replication { status, ..change("a", ReplicationAction::DeleteStatusOverride) };
    assert_eq!(back.as_ref(), Ok(&delete));
    for (change, field) in [
        (bad, "replicationList[5].action"),
        (worse, "replicationList[6].instanceInfo.leaseInfo.durationInSecs"),
        (worst, "replicationList[7].action"),
    ] {
        assert_eq!(change.as_ref().unwrap_err().field, field);
    }
}

#[test]
fn a_batch_is_answered_change_by_change() {
    let newer = sample().applications.remove(1).instances.remove(0);
    let list = vec![
        ReplicationReply { status_code: 200, response_entity: None },
        ReplicationReply { status_code: 404, response_entity: None },
        ReplicationReply { status_code: 409, response_entity: Some(newer.clone()) },
    ];
    let body = render::replication_replies(&ReplicationReplies { list });
    let body: Value = serde_json::from_slice(&body).unwrap();
    let newer = super::support::shown(&newer)["instance"].clone();
    assert_eq!(
        body,
        json!({"responseList": [
            {"statusCode": 200}, {"statusCode": 404}, {"statusCode": 409, "responseEntity": newer},
        ]})
    );
}
