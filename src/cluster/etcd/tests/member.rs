//! What a member says of itself.

use super::super::{AlarmKind, Client, EtcdError, EtcdOptions, KeyRange, Range};
use crate::cluster::testing::{Etcd, shared};

#[tokio::test]
async fn a_member_says_who_it_is_and_how_large() {
    let (etcd, prefix) = shared();
    assert!(etcd.members().is_empty(), "nothing is connected before it is used");
    let header = etcd.put(format!("{prefix}a"), "", None).await.unwrap();
    let member = etcd.status().await.unwrap();
    assert!(member.version.starts_with("3."), "{member:?}");
    assert_eq!((member.header.cluster, member.header.member), (header.cluster, header.member));
    assert!(member.header.revision >= header.revision && member.db_size > 0);
    assert_eq!(etcd.members(), [member]);
    assert_eq!(etcd.alarms().await.unwrap(), []);
}

#[tokio::test]
async fn a_full_database_refuses_writes_raises_an_alarm_and_goes_on_to_be_read() {
    let server = Etcd::start(&["--quota-backend-bytes", "300000"]);
    let etcd = server.client();
    let mut refused = None;
    // etcd looks at its size ten times a second.
    for _ in 0..5_000 {
        if let Err(error) = etcd.put("/a", vec![0; 20_000], None).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused, EtcdError::NoSpace { endpoint: server.url.clone() });
    assert!(refused.to_string().contains("etcdctl alarm disarm"), "{refused}");
    let alarms = etcd.alarms().await.unwrap();
    let member = etcd.status().await.unwrap().header.member;
    assert_eq!(
        alarms.iter().map(|it| (it.member, it.kind)).collect::<Vec<_>>(),
        [(member, AlarmKind::NoSpace)]
    );
    assert_eq!(AlarmKind::NoSpace.to_string(), "NOSPACE");
    assert_eq!(etcd.range(Range::of(KeyRange::key("/a"))).await.unwrap().count, 1);
}

#[test]
fn options_that_cannot_be_used_are_refused_before_anything_is_tried() {
    let refused = |endpoints: Vec<String>| Client::new(EtcdOptions::new(endpoints)).unwrap_err();
    let none = refused(vec![]).to_string();
    assert_eq!(none, "`store.endpoints`: none is given; write http://10.0.0.1:2379");
    let many = refused(vec!["http://a".to_owned(); 17]).to_string();
    assert_eq!(many, "`store.endpoints`: 17 are given, the limit is 16");
}
