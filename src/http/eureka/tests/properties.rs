//! What holds of all instances and of all bodies.

use proptest::{
    collection::{btree_map, vec},
    option::of,
    prelude::*,
};
use smol_str::SmolStr;

use super::{
    applications::{Application, Applications},
    support::{applications, instance},
};
use crate::http::eureka::{
    body::{
        ActionType, DataCenterInfo, Instance, InstanceStatus, LeaseInfo, Metadata, Port,
        Replication, ReplicationAction,
    },
    negotiate::Form,
    read, render,
};

/// All that XML can carry, the awkward more often.
fn text() -> impl Strategy<Value = SmolStr> {
    let anything = any::<String>().prop_map(|text| carried(&text));
    prop_oneof!["[ -~]{0,20}", "[ \t\r\n<>&\"'\\]]{0,6}", anything].prop_map(SmolStr::from)
}

/// The text as XML gives it back.
fn carried(text: &str) -> String {
    let is_carried = |character: char| {
        !matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}')
            && !matches!(character, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().map(|char| if is_carried(char) { char } else { '\u{fffd}' }).collect()
}

fn capitals() -> impl Strategy<Value = SmolStr> {
    text().prop_map(|text| text.to_uppercase().into())
}

fn status() -> impl Strategy<Value = InstanceStatus> {
    proptest::sample::select(&InstanceStatus::ALL[..])
}

fn port() -> impl Strategy<Value = Port> {
    (any::<i32>(), any::<bool>()).prop_map(|(number, enabled)| Port { number, enabled })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let key = prop_oneof!["[a-zA-Z0-9._$@:-]{1,10}", "[_.0-9a-f-]{1,10}", any::<String>()];
    btree_map(key.prop_map(SmolStr::from), text(), 0..5)
        .prop_map(|entries| entries.into_iter().collect())
}

fn data_center_info() -> impl Strategy<Value = DataCenterInfo> {
    prop_oneof![
        metadata().prop_map(DataCenterInfo::Amazon),
        Just(DataCenterInfo::MyOwn),
        Just(DataCenterInfo::Netflix),
        Just(DataCenterInfo::Unnamed),
    ]
}

prop_compose! {
    fn lease_info()(
        (renewal_interval_in_secs, duration_in_secs) in (1_i32.., 1_i32..),
        [a, b, c, d] in any::<[i64; 4]>(),
    ) -> LeaseInfo {
        LeaseInfo {
            renewal_interval_in_secs, duration_in_secs, registration_timestamp: a,
            last_renewal_timestamp: b, eviction_timestamp: c, service_up_timestamp: d,
        }
    }
}

prop_compose! {
    fn any_instance()(
        texts in vec(of(text()), 12),
        (app, app_group_name) in (of(capitals()), of(capitals())),
        (status, overridden_status, action_type) in
            (status(), status(), of(proptest::sample::select(&ActionType::ALL[..]))),
        (port, secure_port, country_id) in (port(), port(), any::<i32>()),
        (data_center_info, lease_info, metadata) in
            (of(data_center_info()), of(lease_info()), metadata()),
        is_coordinating_discovery_server in any::<bool>(),
        (last_updated_timestamp, last_dirty_timestamp) in (of(any::<i64>()), of(any::<i64>())),
    ) -> Instance {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().flatten();
        Instance {
            instance_id: text(), host_name: text(), app, ip_addr: text(), sid: text(), status,
            overridden_status, port, secure_port, country_id, data_center_info, lease_info,
            metadata, app_group_name, home_page_url: text(), status_page_url: text(),
            health_check_url: text(), secure_health_check_url: text(), vip_address: text(),
            secure_vip_address: text(), is_coordinating_discovery_server,
            last_updated_timestamp, last_dirty_timestamp, action_type, asg_name: text(),
        }
    }
}

fn any_applications() -> impl Strategy<Value = Applications> {
    let application = (text(), vec(any_instance(), 1..3))
        .prop_map(|(name, instances)| Application { name, instances });
    (any::<u64>(), "([A-Z_]{1,9}_[1-9]{1,3}_){0,3}", vec(application, 0..3)).prop_map(
        |(version, hashcode, mut applications)| {
            applications.dedup_by(|one, other| one.name == other.name);
            Applications { version, hashcode: hashcode.into(), applications }
        },
    )
}

fn action() -> impl Strategy<Value = ReplicationAction> {
    proptest::sample::select(vec![
        ReplicationAction::Cancel,
        ReplicationAction::DeleteStatusOverride,
        ReplicationAction::Heartbeat,
        ReplicationAction::Register,
        ReplicationAction::StatusUpdate,
    ])
}

prop_compose! {
    fn replication()(
        (app_name, id, last_dirty_timestamp) in (text(), text(), of(any::<i64>())),
        (overridden_status, status) in (of(status()), of(status())),
        (instance_info, action) in (of(any_instance()), action()),
    ) -> Replication {
        Replication {
            app_name, id, last_dirty_timestamp, overridden_status, status, instance_info, action,
        }
    }
}

#[test]
fn what_is_taken_for_granted_is_not_kept() {
    let lease_info = Some(LeaseInfo { duration_in_secs: 60, ..LeaseInfo::default() });
    let data_center_info = Some(DataCenterInfo::MyOwn);
    let instance_id = Some("a".into());
    let noun = Instance { instance_id, data_center_info, lease_info, ..Instance::default() };
    let kept = r#"{"instance":{"dataCenterInfo":{"name":"MyOwn"},"instanceId":"a","#;
    assert_eq!(render::kept(&noun), format!(r#"{kept}"leaseInfo":{{"durationInSecs":60}}}}}}"#));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_instance_is_read_as_it_was_written_in_both_forms(noun in any_instance()) {
        for form in [Form::Json, Form::Xml] {
            prop_assert_eq!(&instance(form, render::instance(form, &noun)), &noun);
        }
    }

    #[test]
    fn what_is_kept_of_an_instance_is_all_that_it_says(noun in any_instance()) {
        prop_assert_eq!(&instance(Form::Json, render::kept(&noun).into_bytes()), &noun);
    }

    #[test]
    fn applications_are_read_as_they_were_written_in_both_forms(all in any_applications()) {
        for form in [Form::Json, Form::Xml] {
            prop_assert_eq!(&applications(form, &all.written(form)), &all);
        }
    }

    /// Whatever an owner says of his instance, the list stays readable for all.
    #[test]
    fn any_text_can_be_written_as_xml(said in any::<String>(), key in any::<String>()) {
        let metadata = [(key.into(), said.clone().into())].into_iter().collect();
        let host_name = Some(said.clone().into());
        let noun = Instance { host_name, metadata, ..Instance::default() };
        let found = instance(Form::Xml, render::instance(Form::Xml, &noun));
        prop_assert_eq!(found.host_name.as_deref(), Some(&*carried(&said)));
        let keys = |noun: &Instance| -> Vec<SmolStr> {
            noun.metadata.iter().map(|(key, _)| key.clone()).collect()
        };
        prop_assert_eq!(keys(&found), keys(&noun));
    }

    #[test]
    fn a_batch_is_read_as_it_was_written(list in vec(replication(), 0..4)) {
        let body = serde_json::json!({ "replicationList": list }).to_string();
        let batch = read::replication_batch(body.as_bytes()).unwrap();
        prop_assert_eq!(batch.0, list.into_iter().map(Ok).collect::<Vec<_>>());
    }

    /// Cut, and with octets replaced, a body is read or refused, in few words.
    #[test]
    fn a_damaged_body_is_read_or_refused(
        noun in any_instance(),
        cut in any::<proptest::sample::Index>(),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
    ) {
        for form in [Form::Json, Form::Xml] {
            let mut body = render::instance(form, &noun);
            for (at, octet) in &damage {
                let at = at.index(body.len());
                body[at] = *octet;
            }
            body.truncate(cut.index(body.len()) + 1);
            if let Err(error) = read::instance(form, &body) {
                prop_assert!(error.text.len() < 1000, "{}", error.text);
            }
        }
    }

    #[test]
    fn any_octets_are_read_or_refused(body in vec(any::<u8>(), 0..200)) {
        for form in [Form::Json, Form::Xml] {
            let _ = read::instance(form, &body);
        }
    }

    #[test]
    fn any_markup_is_read_or_refused(body in "(<|</|>|/>|a|'|\"|=| |&|;|#|<!--|-->|<\\?|\\?>|\
        <!\\[CDATA\\[|\\]\\]>|<!DOCTYPE|&#x?[0-9a-f]{1,6};){0,40}") {
        let _ = read::instance(Form::Xml, body.as_bytes());
    }
}
