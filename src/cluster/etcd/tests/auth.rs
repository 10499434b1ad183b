//! Logging in to a real etcd, and being refused by one.

use std::{fs, process::Command};

use super::super::{
    Client, EtcdError, EtcdOptions, EtcdUser, KeyRange, Op, Range, Txn, Watch, Watched,
};
use crate::cluster::testing::{Etcd, PATIENCE};

/// An etcd whose authentication is on: `root`, and `rollcall`, who may do everything below
/// `/rollcall/`; short tokens if that is said.
fn guarded(flags: &[&str]) -> Etcd {
    let server = Etcd::start(flags);
    for words in [
        "user add root:secret",
        "role add rollcall",
        "role grant-permission rollcall readwrite /rollcall/ --prefix",
        "user add rollcall:secret",
        "user grant-role rollcall rollcall",
        "user grant-role root root",
        "auth enable",
    ] {
        server.etcdctl(&[], words);
    }
    server
}

fn client(server: &Etcd, user: Option<(&str, &str)>) -> Client {
    let user = user.map(|(name, password)| EtcdUser {
        name: name.into(),
        password: password.into(),
        password_file: None,
    });
    Client::new(EtcdOptions { user, ..EtcdOptions::new([server.url.as_str()]) }).unwrap()
}

#[track_caller]
fn denied(error: &EtcdError, server: &Etcd, expected: &str) {
    let EtcdError::Denied { endpoint, problem } = error else { panic!("{error:?}") };
    assert_eq!(*endpoint, server.url);
    assert!(problem.contains(expected), "{problem}");
}

#[tokio::test]
async fn who_may_does_everything_and_nobody_else() {
    let server = guarded(&[]);
    let etcd = client(&server, Some(("rollcall", "secret")));
    let put = etcd.put("/rollcall/a", "1", None).await.unwrap();
    let all = KeyRange::prefix("/rollcall/");
    assert_eq!(etcd.range(Range::of(all.clone())).await.unwrap().count, 1);
    let mut watch = etcd.watch(Watch::of(all.clone(), put.revision)).await.unwrap();
    assert!(matches!(watch.next().await.unwrap(), Watched::Changes(_)));
    let lease = etcd.grant(PATIENCE).await.unwrap();
    etcd.put("/rollcall/b", "", Some(lease.lease)).await.unwrap();
    etcd.keep_alive(lease).beat().await.unwrap();
    match etcd.status().await {
        Ok(member) => assert!(member.db_size > 0),
        // Some versions say it to `root` alone.
        Err(error) => denied(&error, &server, "etcd does not let user `rollcall` say who it is"),
    }
    assert_eq!(etcd.alarms().await.unwrap(), []);

    let outside = KeyRange::prefix("/other/");
    let error = etcd.range(Range::of(outside.clone())).await.unwrap_err();
    denied(&error, &server, "etcd does not let user `rollcall` read `/other/*`; grant it");
    let error = etcd.put("/other/a", "", None).await.unwrap_err();
    denied(&error, &server, "does not let user `rollcall` write `/other/a`");
    let then = vec![Op::put("/rollcall/a", ""), Op::put("/other/a", "")];
    let error = etcd.txn(Txn { then, ..Txn::default() }).await.unwrap_err();
    denied(&error, &server, "does not let user `rollcall` write `/rollcall/a` and 1 more");
    let error = etcd.watch(Watch::of(outside, 0)).await.unwrap_err();
    denied(&error, &server, "does not let user `rollcall` watch `/other/*`");

    let wrong = client(&server, Some(("rollcall", "wrong")));
    let error = wrong.put("/rollcall/a", "", None).await.unwrap_err();
    denied(
        &error,
        &server,
        "the password of user `rollcall` (`store.user`, `store.password_file`)",
    );
    let nobody = client(&server, None);
    let error = nobody.put("/rollcall/a", "", None).await.unwrap_err();
    let wanted = "without user and password do nothing: set `store.user` and `store.password_file`";
    denied(&error, &server, wanted);
    let error = nobody.watch(Watch::of(all, 0)).await.unwrap_err();
    denied(&error, &server, wanted);
}

#[tokio::test]
async fn a_token_that_is_not_known_any_more_is_renewed_once_for_calls_and_streams() {
    let server = guarded(&["--auth-token-ttl", "1"]);
    let etcd = client(&server, Some(("rollcall", "secret")));
    etcd.put("/rollcall/a", "1", None).await.unwrap();
    let all = KeyRange::prefix("/rollcall/");
    // Turning it off and on again forgets every token.
    for (round, value) in ["2", "3", "4"].into_iter().enumerate() {
        server.etcdctl(&[], "--user root:secret auth disable");
        server.etcdctl(&[], "auth enable");
        match round {
            0 => drop(etcd.put("/rollcall/a", value, None).await.unwrap()),
            1 => drop(etcd.watch(Watch::of(all.clone(), 0)).await.unwrap()),
            _ => drop(etcd.grant(PATIENCE).await.unwrap()),
        }
    }
    // A change of the rights makes all tokens old.
    server.etcdctl(&[], "--user root:secret role grant-permission rollcall readwrite /more");
    etcd.put("/more", "", None).await.unwrap();
}

/// Gives `rollcall` another password, which ends its tokens.
fn change_password(server: &Etcd, password: &str) {
    let line = format!(
        "echo {password} | etcdctl --endpoints {} --user root:secret user passwd rollcall \
         --interactive=false",
        server.url
    );
    let done = Command::new("sh").args(["-c", &line]).env("ETCDCTL_API", "3").output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[tokio::test]
async fn a_password_is_taken_from_its_file_at_each_login() {
    let server = guarded(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "wrong").unwrap();
    let user = EtcdUser {
        name: "rollcall".into(),
        password: "wrong".into(),
        password_file: Some(file.clone()),
    };
    let options = EtcdOptions::new([server.url.as_str()]);
    let etcd = Client::new(EtcdOptions { user: Some(user), ..options }).unwrap();
    let refused = "does not accept the name and the password of user `rollcall`";
    let put = |value: &'static str| etcd.put("/rollcall/a", value, None);
    denied(&put("1").await.unwrap_err(), &server, refused);
    fs::write(&file, "secret\n").unwrap();
    let first = put("1").await.expect("the file was corrected");
    let all = KeyRange::prefix("/rollcall/");
    let mut watch = etcd.watch(Watch::of(all, first.revision)).await.unwrap();
    let lease = etcd.grant(PATIENCE).await.unwrap();

    change_password(&server, "sesame");
    denied(&put("2").await.unwrap_err(), &server, refused);
    fs::remove_file(&file).unwrap();
    denied(&put("2").await.unwrap_err(), &server, refused);
    fs::write(&file, "sesame\n").unwrap();
    put("2").await.expect("the file has the new one");
    etcd.keep_alive(lease).beat().await.unwrap();
    let mut seen = 0;
    while seen < 2 {
        let Watched::Changes(events) = watch.next().await.unwrap() else { continue };
        seen += events.len();
    }
}

#[tokio::test]
async fn a_user_where_authentication_is_off_is_as_good_as_none() {
    let server = Etcd::start(&[]);
    let etcd = client(&server, Some(("rollcall", "secret")));
    etcd.put("/rollcall/a", "1", None).await.unwrap();
    for words in ["user add root:secret", "user grant-role root root", "auth enable"] {
        server.etcdctl(&[], words);
    }
    let error = etcd.put("/rollcall/a", "1", None).await.unwrap_err();
    denied(
        &error,
        &server,
        "the password of user `rollcall` (`store.user`, `store.password_file`)",
    );
}
