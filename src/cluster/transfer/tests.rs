//! Into a real etcd, and out of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{
    Found, How, PATIENCE, Restored, TransferError, load, load::keys_of, plan::Batches, restore,
};
use crate::{
    cluster::{
        etcd::{Client, KeyRange, Op, Range, Txn},
        follow::testing::{Link, Mirror, client},
        layout::{Key, Layout, Meta, Write, testing::AUTHOR},
        testing::{Etcd, shared, shared_url},
        transfer::plan::{Step, There},
    },
    model::{
        Instance, InstanceKey, Origin, Policy, Revision, Scope, ServiceName, Status, Timestamp,
    },
    registry::{Loaded, Member},
    store::{export, import, testing},
};

/// How long an import waits that is to wait in vain.
const SHORT: Duration = Duration::from_millis(500);

/// A prefix that no other test has.
fn place() -> (Client, Layout) {
    let (client, prefix) = shared();
    (client, Layout::new(prefix.trim_end_matches('/')).unwrap())
}

fn how(replace: bool) -> How {
    How { replace, at: AUTHOR.at, cluster: "5f0c".into(), patience: SHORT }
}

async fn put(client: &Client, layout: &Layout, loaded: Loaded, replace: bool) -> Restored {
    restore(client, layout, loaded, how(replace), &mut |_, _| {}).await.unwrap()
}

async fn refusal(client: &Client, layout: &Layout, loaded: Loaded) -> String {
    let refused = restore(client, layout, loaded, how(false), &mut |_, _| {}).await;
    refused.unwrap_err().to_string()
}

async fn found(client: &Client, layout: &Layout) -> Found {
    load(client, layout).await.unwrap()
}

/// Instances of those numbers.
fn members(numbers: impl IntoIterator<Item = u16>) -> Vec<Member> {
    numbers.into_iter().map(testing::plain).collect()
}

fn of(members: Vec<Member>) -> Loaded {
    Loaded { members, ..Loaded::default() }
}

/// What of a registry is the same wherever it is.
#[derive(Debug, PartialEq)]
struct Content {
    members: BTreeMap<InstanceKey, Member>,
    policies: BTreeMap<ServiceName, Policy>,
}

impl From<Loaded> for Content {
    fn from(loaded: Loaded) -> Self {
        let none = Revision(0);
        let alike = |member: Member| Member {
            // Since when follows from the checks, and revisions are the store's own.
            since: Timestamp(0),
            created: none,
            registered: none,
            modified: none,
            ..member
        };
        let members = loaded.members.into_iter().map(|member| (member.key(), alike(member)));
        Self { members: members.collect(), policies: loaded.policies.into_iter().collect() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_put_into_etcd_comes_out_of_it(batches in testing::batches()) {
        let mut model = testing::Model::default();
        for batch in &batches {
            model.apply(Revision(7), batch);
        }
        let loaded = || Loaded {
            revision: Revision(7),
            members: model.members.values().cloned().collect(),
            policies: model.policies.clone().into_iter().collect(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (once, again) = runtime.block_on(async {
            let (client, layout) = place();
            put(&client, &layout, loaded(), false).await;
            let once = found(&client, &layout).await;
            put(&client, &layout, loaded(), true).await;
            (once, found(&client, &layout).await)
        });
        prop_assert!(once.passed_over.is_empty());
        prop_assert_eq!(Content::from(once.loaded), Content::from(loaded()));
        prop_assert_eq!(Content::from(again.loaded), Content::from(loaded()));
    }
}

/// An import is a registration like any other: what was seen of the one before is over.
#[tokio::test]
async fn an_import_takes_the_place_of_what_is_there() {
    let etcd = Etcd::start(&[]); // its revisions are those of this test
    let (client, layout) = (etcd.client(), Layout::new("/rollcall").unwrap());
    let mut before = members(0..3);
    before[1].drained = true;
    let mut loaded = of(before);
    let services = ["a", "b"].map(|name| ServiceName::parse(name).unwrap());
    loaded.policies = services.iter().map(|name| (name.clone(), Policy::default())).collect();
    put(&client, &layout, loaded, false).await;
    let health = layout.all().from + "instances/service-1/i-1/health";
    client.put(health.clone(), "{\"of\":1}", None).await.unwrap();

    let mut loaded = of(members([1, 2, 9]));
    loaded.members[1].drained = true;
    loaded.policies = vec![(services[1].clone(), Policy::default())];
    let restored = put(&client, &layout, loaded, true).await;
    assert_eq!(restored.removed, 2);
    let Found { loaded, .. } = found(&client, &layout).await;
    assert_eq!(loaded.revision, restored.revision);
    let is: Vec<_> =
        loaded.members.iter().map(|m| (m.instance.id.to_string(), m.drained)).collect();
    let expected = [("i-1", false), ("i-2", true), ("i-9", false)];
    assert_eq!(is, expected.map(|(id, drained)| (id.to_owned(), drained)));
    assert_eq!(loaded.policies, [(services[1].clone(), Policy::default())]);
    let left = client.range(Range::of(KeyRange::key(health))).await.unwrap();
    assert_eq!(left.count, 0, "what is of the registration before is of no use");
}

/// An import deleted all first, and for seconds there was nothing.
#[tokio::test]
async fn servers_see_no_less_than_either_registry_while_one_replaces_the_other() {
    let (client, layout) = place();
    let before = put(&client, &layout, of(members(0..300)), false).await;
    let after = put(&client, &layout, of(members(200..500)), true).await;
    let (first, last) = (before.revision.shared_part(), after.revision.shared_part());
    assert!(last > first + 4, "{first} {last}");
    for revision in first..=last {
        let instances = layout.instances();
        let keys = KeyRange::between(instances.from, instances.to);
        let there = client.range(Range { revision, ..Range::of(keys) }).await.unwrap();
        let ids = there.kvs.iter().filter_map(|kv| match layout.parse(&kv.key) {
            Ok(Key::Row(row)) => Some(row.to_string()),
            _ => None,
        });
        let ids: Vec<String> = ids.collect();
        for number in 200_u16..300 {
            let row = format!("instances/service-{}/i-{number}/registration", number % 7);
            assert!(ids.contains(&row), "{row} at {revision}");
        }
        assert!(ids.len() >= 300, "{} at {revision}", ids.len());
    }
}

/// The same as a server sees it that follows.
#[tokio::test]
async fn a_server_that_follows_shows_what_is_in_both_all_the_time() {
    let (client, layout) = place();
    put(&client, &layout, of(members(0..300)), false).await;
    let prefix = layout.all().from.replace("v1/", "");
    let mut mirror = Mirror::start(client.clone(), &prefix).await;
    let row = |number: u16| format!("registration service-{}/i-{number}", number % 7);
    let import = put(&client, &layout, of(members(200..500)), true);
    let mut import = std::pin::pin!(import);
    let (mut told, mut until) = (0, None);
    while until.is_none_or(|until| mirror.upto < until) {
        tokio::select! {
            restored = &mut import, if until.is_none() => {
                until = Some(restored.revision.shared_part());
            }
            () = mirror.next() => {
                told += 1;
                assert!((200..300).all(|number| mirror.rows.contains_key(&row(number))));
                assert!(mirror.rows.len() >= 300, "{} at {}", mirror.rows.len(), mirror.upto);
            }
        }
    }
    // On a busy machine several transactions are told of at once.
    assert!(told > 0, "it was told of the import");
    assert!((0..200).all(|number| !mirror.rows.contains_key(&row(number))));
    assert_eq!(mirror.rows.len(), 300);
}

#[tokio::test]
async fn what_is_there_is_not_replaced_unless_that_is_said() {
    let (client, layout) = place();
    let mut loaded = of(members(0..2));
    loaded.policies = vec![(ServiceName::parse("web").unwrap(), Policy::default())];
    put(&client, &layout, loaded, false).await;
    let refused = refusal(&client, &layout, of(members(5..6))).await;
    let expected = format!(
        "there is a registry below `{}` already (instances: 2, policies: 1); use another prefix, \
         or --replace",
        layout.all().from
    );
    assert!(refused.starts_with(&expected), "{refused}");
    assert_eq!(found(&client, &layout).await.loaded.members.len(), 2);
}

#[tokio::test]
async fn servers_that_are_alive_are_not_surprised() {
    let (client, layout) = place();
    client.put(layout.key(&Key::Server("host-1".into())), "{}", None).await.unwrap();
    let refused = refusal(&client, &layout, of(members(0..1))).await;
    assert!(refused.contains("(host-1), and would answer with a part"), "{refused}");
    put(&client, &layout, of(members(0..1)), true).await;
    let server = Range::of(KeyRange::key(layout.key(&Key::Server("host-1".into()))));
    assert_eq!(client.range(server).await.unwrap().count, 1, "only rows of the registry go");
}

#[tokio::test]
async fn a_state_says_once_what_it_is() {
    let (client, layout) = place();
    let refused = load(&client, &layout).await.unwrap_err().to_string();
    assert!(refused.starts_with("there is no registry below `/test-"), "{refused}");
    put(&client, &layout, Loaded::default(), false).await;
    assert!(found(&client, &layout).await.loaded.members.is_empty());
    let meta = || Range::of(KeyRange::key(layout.key(&Key::Meta)));
    let kvs = client.range(meta()).await.unwrap().kvs;
    let expected = Meta { schema: 1, cluster: "5f0c".into(), imported: Some(AUTHOR.at) };
    assert_eq!(layout.decode_meta(&kvs[0].value, 1), Ok(expected));
    let other = How { cluster: "another".into(), ..how(true) };
    restore(&client, &layout, Loaded::default(), other, &mut |_, _| {}).await.unwrap();
    assert_eq!(client.range(meta()).await.unwrap().kvs[0].value, kvs[0].value);
    let later = r#"{"schema":2,"cluster":"5f0c"}"#;
    client.put(layout.key(&Key::Meta), later, None).await.unwrap();
    let told = "is of schema 2, this version of Rollcall knows schema 1";
    let refused = refusal(&client, &layout, Loaded::default()).await;
    assert!(refused.contains(told), "{refused}");
    let refused = load(&client, &layout).await.unwrap_err().to_string();
    assert!(refused.contains(told), "{refused}");
}

#[tokio::test]
async fn nothing_is_exported_that_lacks_something() {
    let (client, layout) = place();
    put(&client, &layout, of(members(0..1)), false).await;
    let root = layout.all().from;
    for (key, value) in [
        ("zones/a", "x"),
        ("policies/WEB", "{}"),
        ("policies/web", r#"{"ttl":"7s","zone":"a"}"#),
        ("bulks/0000000000000001/00000", "a part of one that was given up"),
        ("beats/host-1", "x"),
    ] {
        client.put(format!("{root}{key}"), value, None).await.unwrap();
    }
    let Found { loaded, passed_over } = found(&client, &layout).await;
    assert_eq!((loaded.members.len(), loaded.policies[0].1.ttl_seconds), (1, 7));
    let mistyped = format!("{root}policies/WEB");
    assert_eq!(passed_over, ["zone", "zones", &mistyped].map(String::from).into());

    let bulk = format!("{root}bulk");
    client.put(bulk.clone(), "x", None).await.unwrap();
    let refused = load(&client, &layout).await.unwrap_err();
    assert_eq!(refused, TransferError::UnderWay { key: bulk.clone() });
    let refused = restore(&client, &layout, Loaded::default(), how(true), &mut |_, _| {}).await;
    assert_eq!(refused.unwrap_err(), TransferError::UnderWay { key: bulk.clone() });

    let then = vec![Op::Delete(KeyRange::key(bulk))];
    client.txn(Txn { then, ..Txn::default() }).await.unwrap();
    client.put(format!("{root}policies/web"), r#"{"answer_limit":0}"#, None).await.unwrap();
    let refused = load(&client, &layout).await.unwrap_err().to_string();
    assert!(
        refused.starts_with("what cannot be read would be missing (rows: 1): `/test-"),
        "{refused}"
    );
    assert!(refused.contains("policies/web`, revision "), "{refused}");
}

fn with_document(number: u16, octets: usize) -> Member {
    let mut member = testing::plain(number);
    Arc::make_mut(&mut member.instance).origin = Some(Arc::new(Origin {
        scope: Scope::node("n"),
        id: format!("{number}").into(),
        document: "x".repeat(octets).into(),
        other_tags: [].into(),
        service: None,
        node: None,
    }));
    member
}

/// What was exported could not be imported.
#[tokio::test]
async fn of_two_that_two_servers_have_registered_at_once_the_younger_is_exported() {
    let (client, layout) = place();
    let older = with_document(3, 2);
    put(&client, &layout, of(vec![older.clone(), with_document(4, 2)]), false).await;
    let mut younger = with_document(2, 2);
    younger.instance = Arc::new(Instance {
        origin: older.instance.origin.clone(),
        ..Instance::clone(&younger.instance)
    });
    let Step(writes) = Step::put(&layout, &younger, &There::default(), &AUTHOR).unwrap();
    let [Write::Put { key, value }] = &writes[..] else { panic!("{writes:?}") };
    client.put(key.clone(), value.clone(), None).await.unwrap();
    let loaded = found(&client, &layout).await.loaded;
    let mut text = Vec::new();
    export(&loaded, AUTHOR.at, &mut text).unwrap();
    let imported = import(&mut &text[..]).unwrap();
    let ids: Vec<_> = imported.members.iter().map(|m| m.instance.id.as_str()).collect();
    assert_eq!(ids, ["i-2", "i-4"]);
    put(&client, &layout, imported, true).await;
    assert_eq!(found(&client, &layout).await.loaded.members.len(), 2);
}

#[tokio::test]
async fn what_is_too_large_is_found_before_anything_is_written() {
    let (client, layout) = place();
    let loaded = of([members(0..200), vec![with_document(300, 1_500_000)]].concat());
    let refused = refusal(&client, &layout, loaded).await;
    assert!(refused.ends_with("above the limit of 1433600; nothing was changed"), "{refused}");
    let all = layout.all();
    let left = client.range(Range::of(KeyRange::between(all.from, all.to))).await.unwrap();
    assert_eq!(left.count, 0);
}

#[tokio::test]
async fn an_import_that_etcd_does_not_take_whole_says_how_far_it_came() {
    let etcd = Etcd::start(&["--quota-backend-bytes", &(4 << 20).to_string()]);
    let (client, layout) = (etcd.client(), Layout::new("/rollcall").unwrap());
    let loaded = of((0..200).map(|number| with_document(number, 100_000)).collect());
    let mut told = Vec::new();
    let mut progress = |written, all| told.push((written, all));
    let refused = restore(&client, &layout, loaded, how(false), &mut progress).await.unwrap_err();
    let TransferError::Interrupted { written, all: 200, .. } = refused else { panic!("{refused}") };
    assert_eq!(told.last(), Some(&(written, 200)));
    let text = refused.to_string();
    assert!(text.contains("NOSPACE") && text.ends_with("repeat it with --replace"), "{text}");
    let there = found(&client, &layout).await.loaded.members.len();
    assert!(there >= written && there < 200, "{written} {there}");
}

#[test]
fn a_transaction_is_as_large_as_etcd_takes_and_no_larger() {
    let step = |writes: usize, octets: usize| {
        let write = |_| Write::Put { key: String::new(), value: vec![0; octets] };
        Step((0..writes).map(write).collect())
    };
    let packed = |steps: Vec<Step>| -> Vec<(usize, usize)> {
        Batches::new(steps).map(|batch| (batch.steps, batch.writes.len())).collect()
    };
    let three = |_| step(3, 1);
    assert_eq!(packed((0..100).map(three).collect()), [(42, 126), (42, 126), (16, 48)]);
    let large = |_| step(1, 400 << 10);
    assert_eq!(packed((0..5).map(large).collect()), [(2, 2), (2, 2), (1, 1)]);
    let steps = vec![step(1, 1), step(1, 1_300 << 10), step(1, 1)];
    assert_eq!(packed(steps), [(1, 1), (1, 1), (1, 1)]);
    assert_eq!(packed(vec![]), []);
}

/// Rows of a bulk come after its marker, and would put what was imported meanwhile away.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_waits_for_a_bulk_in_each_of_its_transactions() {
    let (client, layout) = place();
    let (bulk, loaded) = (layout.key(&Key::Bulk), || of(members(0..300)));
    // It begins when the first transaction is written.
    let begin = |is_first: &mut bool| {
        if std::mem::take(is_first) {
            let put = client.put(bulk.clone(), "x", None);
            let put = || tokio::runtime::Handle::current().block_on(put);
            tokio::task::block_in_place(put).unwrap();
        }
    };
    let mut is_first = true;
    let mut progress = |_, _| begin(&mut is_first);
    let held = restore(&client, &layout, loaded(), how(false), &mut progress).await.unwrap_err();
    let TransferError::Held { written: 128, all: 300, .. } = held else { panic!("{held}") };
    assert!(held.to_string().contains("v1/bulk`) and was not over within 500ms"), "{held}");
    let keys = || keys_of(layout.instances());
    let there = client.range(Range::of(keys())).await.unwrap();
    assert_eq!(there.count, 128, "nothing beside it");

    // This one ends in time.
    let end = async || {
        let then = vec![Op::Delete(KeyRange::key(bulk.clone()))];
        client.txn(Txn { then, ..Txn::default() }).await.unwrap()
    };
    end().await;
    let mut is_first = true;
    let mut progress = |_, _| begin(&mut is_first);
    let patient = How { patience: PATIENCE, ..how(true) };
    let import = restore(&client, &layout, loaded(), patient, &mut progress);
    let ends = async {
        loop {
            let found = client.range(Range::of(KeyRange::key(bulk.clone()))).await.unwrap();
            if found.count > 0 {
                break end().await;
            }
        }
    };
    let (restored, _) = tokio::join!(import, ends);
    restored.unwrap();
    assert_eq!(client.range(Range::of(keys())).await.unwrap().count, 300);
}

/// Who imports while a client registers would take its place without having said so.
#[tokio::test]
async fn whoever_comes_first_is_not_written_over() {
    let (client, layout) = place();
    let row = format!("{}instances/web/web-1/registration", layout.all().from);
    // Not what the look beforehand counts, but something.
    client.put(row.replace("web-1", "WEB-1"), "{}", None).await.unwrap();
    let refused = restore(&client, &layout, of(members(0..1)), how(false), &mut |_, _| {}).await;
    assert_eq!(refused.unwrap_err(), TransferError::Raced);
    assert!(found(&client, &layout).await.loaded.members.is_empty());
}

#[tokio::test]
async fn the_states_of_checks_are_kept() {
    let (client, layout) = place();
    let mut member = testing::plain(1);
    member.checks[0].status = Status::Critical;
    member.checks[0].output = "silent for 15s".into();
    (member.status, member.checks[0].since) = (Status::Critical, Timestamp(1_795_000_007_000));
    // It was shown as critical from when it was registered on, after an import.
    member.since = Timestamp(1_795_000_007_500);
    put(&client, &layout, of(vec![member.clone()]), false).await;
    let read = found(&client, &layout).await.loaded.members.remove(0);
    assert_eq!((read.status, read.checks), (Status::Critical, member.checks));
    assert_eq!(read.since, member.since);
    assert_eq!(read.registered_at, member.registered_at);
    assert_eq!(read.registered, read.created);
}

/// The refusal of an import to which something happens when the last of its changes is written. It
/// was a success all the same, and servers that did not believe the etcd waited for ever.
async fn refused_at_the_end(
    etcd: &Client,
    prefix: &str,
    last: impl Fn() + Send + Sync + 'static,
) -> String {
    let layout = Layout::new(prefix.trim_end_matches('/')).unwrap();
    let mut at_the_end = |written, all| {
        if written == all {
            last();
        }
    };
    let restored = restore(etcd, &layout, of(members(0..3)), how(true), &mut at_the_end).await;
    restored.unwrap_err().to_string()
}

#[tokio::test]
async fn an_import_fails_that_cannot_say_that_it_is_complete() {
    let (etcd, prefix) = shared();
    let meta = KeyRange::key(format!("{prefix}v1/meta"));
    let delete = move || {
        let delete = Txn { then: vec![Op::Delete(meta.clone())], ..Txn::default() };
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let txn = async { client(shared_url()).txn(delete).await.unwrap() };
            runtime.unwrap().block_on(txn)
        };
        // Nothing else goes on here meanwhile.
        std::thread::scope(|scope| drop(scope.spawn(run).join().unwrap()));
    };
    let why = refused_at_the_end(&etcd, &prefix, delete).await;
    let said = format!("not (in `{prefix}v1/meta`) that it is complete: the row is gone");
    assert!(why.contains(&said), "{why}");

    let (_, prefix) = shared();
    let link = Arc::new(Link::to(shared_url()).await);
    let (etcd, cut) = (client(&link.url), Arc::clone(&link));
    let cut = move || {
        cut.cut();
        // Nobody answers, so all there is to wait for is the clock.
        tokio::time::pause();
    };
    let why = refused_at_the_end(&etcd, &prefix, cut).await;
    assert!(why.contains(&link.url) && why.contains("repeat it with --replace"), "{why}");
}
