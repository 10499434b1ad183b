//! Deltas: what a client has, changed by one, is what it would fetch anew.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::support::{body, door, with};
use crate::{
    http::{Options, tests::support::Door},
    registry::testing::Kept,
};

/// What a client knows: instances by application and id.
type Known = BTreeMap<(String, String), Value>;

/// The instances of a reply, with its hash.
fn read(reply: &Value) -> (Vec<Value>, String) {
    let all = &reply["applications"];
    let mut instances = Vec::new();
    for application in all["application"].as_array().unwrap() {
        let list = application["instance"].as_array().unwrap();
        assert!(!list.is_empty(), "clients trip over an application without instances");
        assert!(list.iter().all(|instance| instance["app"] == application["name"]));
        instances.extend(list.iter().cloned());
    }
    (instances, all["apps__hashcode"].as_str().unwrap().to_owned())
}

fn name(instance: &Value) -> (String, String) {
    let text = |field: &str| instance[field].as_str().unwrap().to_owned();
    (text("app"), text("instanceId"))
}

fn hash(known: &Known) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for instance in known.values() {
        *counts.entry(instance["status"].as_str().unwrap()).or_default() += 1;
    }
    counts.iter().map(|(status, count)| format!("{status}_{count}_")).collect()
}

async fn fetch(door: &Door) -> Known {
    let (instances, hashcode) = read(&door.shown("/eureka/apps/").await);
    let count = instances.len();
    let known: Known = instances.into_iter().map(|instance| (name(&instance), instance)).collect();
    assert_eq!((known.len(), hash(&known)), (count, hashcode));
    known
}

/// What a client comes to know by a delta, as Netflix's takes it.
async fn follow(door: &Door, known: &Known) -> (Known, String) {
    let (instances, hashcode) = read(&door.shown("/eureka/apps/delta").await);
    let mut known = known.clone();
    let mut named = HashSet::new();
    for mut instance in instances {
        assert!(named.insert(name(&instance)), "one is there twice: {instance}");
        let action = instance.as_object_mut().unwrap().remove("actionType").unwrap();
        match action.as_str().unwrap() {
            "DELETED" => drop(known.remove(&name(&instance))),
            "ADDED" | "MODIFIED" => drop(known.insert(name(&instance), instance)),
            other => panic!("{other}"),
        }
    }
    (known, hashcode)
}

async fn actions(door: &Door) -> Vec<(String, String)> {
    let (instances, _) = read(&door.shown("/eureka/apps/delta").await);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    instances.iter().map(|i| (text(&i["instanceId"]), text(&i["actionType"]))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_delta_tells_what_happened_for_three_minutes() {
    let door = door();
    assert_eq!(actions(&door).await, []);
    let is = |id: &str, action: &str| (id.to_owned(), action.to_owned());
    let long = json!({ "leaseInfo": { "durationInSecs": 9000 } });
    door.appear(&with(body("PAY", "a"), &long)).await;
    door.appear(&with(body("PAY", "b"), &long)).await;
    assert_eq!(actions(&door).await, [is("a", "ADDED"), is("b", "ADDED")]);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(door.code("PUT", "/eureka/apps/PAY/a/status?value=DOWN").await, 200);
    assert_eq!(door.code("DELETE", "/eureka/apps/PAY/b").await, 200);
    let expected = [is("a", "MODIFIED"), is("b", "DELETED")];
    assert_eq!(actions(&door).await, expected);
    sleep(Duration::from_secs(79)).await;
    assert_eq!(actions(&door).await, expected);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(actions(&door).await, expected, "for three minutes of their own");
    sleep(Duration::from_secs(100)).await;
    assert_eq!(actions(&door).await, []);
    let delta = door.shown("/eureka/apps/delta").await["applications"].clone();
    assert_eq!(delta["apps__hashcode"], "DOWN_1_", "of all there is");
}

#[tokio::test(start_paused = true)]
async fn what_expires_is_deleted_in_a_delta() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let known = fetch(&door).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(follow(&door, &known).await, (Known::new(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn after_a_start_no_hash_agrees_with_a_list_from_before_by_chance() {
    let before = door();
    let long = json!({ "leaseInfo": { "durationInSecs": 900 } });
    before.appear(&with(body("PAY", "a"), &long)).await;
    let known = fetch(&before).await;
    // What the client does not learn before the server ends: one is gone, and another came.
    assert_eq!(before.code("DELETE", "/eureka/apps/PAY/a").await, 200);
    before.appear(&with(body("PAY", "b"), &long)).await;
    let kept = Kept::holding(before.running.kept.load());
    let door = Door::over(kept, Options::default(), |_| ());
    for _ in 0..18 {
        let (followed, hashcode) = follow(&door, &known).await;
        assert_ne!(hash(&followed), hashcode, "a client with this list would keep it for ever");
        // Nor does the list that it fetches then; it fetches again.
        assert_ne!(hash(&fetch(&door).await), hashcode);
        sleep(Duration::from_secs(10)).await;
    }
    // What changes meanwhile is told: not every client looks at the hash.
    door.appear(&with(body("PAY", "c"), &long)).await;
    assert_eq!(actions(&door).await, [("c".to_owned(), "ADDED".to_owned())]);
    sleep(Duration::from_secs(1)).await;
    let (followed, hashcode) = follow(&door, &fetch(&door).await).await;
    assert_eq!((followed.len(), hash(&followed)), (2, hashcode), "it is over after three minutes");
}

#[tokio::test(start_paused = true)]
async fn the_first_start_is_none_that_anything_was_missed_at() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    assert_eq!(follow(&door, &Known::new()).await.1, "UP_1_");
}

/// One step of a registry's life.
#[derive(Debug, Clone)]
enum Step {
    Cancel(usize),
    Drain(usize, bool),
    Fetch,
    Native(usize, bool),
    Override(usize, Option<&'static str>),
    Register(usize, &'static str),
    Renew(usize),
    Wait(u64),
}

const STATES: [&str; 5] = ["UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"];

fn step() -> impl Strategy<Value = Step> {
    let (which, state) = (0..6_usize, proptest::sample::select(&STATES[..]));
    prop_oneof![
        which.clone().prop_map(Step::Cancel),
        (which.clone(), any::<bool>()).prop_map(|(which, on)| Step::Drain(which, on)),
        Just(Step::Fetch),
        (which.clone(), any::<bool>()).prop_map(|(which, is)| Step::Native(which, is)),
        (which.clone(), proptest::option::of(state.clone()))
            .prop_map(|(which, state)| Step::Override(which, state)),
        (which.clone(), state).prop_map(|(which, state)| Step::Register(which, state)),
        which.prop_map(Step::Renew),
        (1..20_u64).prop_map(Step::Wait),
    ]
}

async fn take(door: &Door, step: &Step, dirty: usize) {
    let app = |which: usize| ["PAY", "SHOP", "A.B"][which % 3];
    let at = |which: usize| format!("/eureka/apps/{}/i-{which}", app(which));
    let native = |which: usize| {
        let service = ["pay", "shop", "web"][which % 3];
        // Beside the labels of the others, and in their places.
        format!("/api/v1/services/{service}/instances/i-{}", which / 2 * 2)
    };
    let _may_be_refused = match *step {
        Step::Cancel(which) => door.call("DELETE", &at(which), "").await,
        Step::Drain(which, on) => {
            let method = if on { "PUT" } else { "DELETE" };
            door.call(method, &format!("{}/drain", native(which)), "").await
        }
        Step::Native(which, true) => door.call("PUT", &native(which), "{}").await,
        Step::Native(which, false) => door.call("DELETE", &native(which), "").await,
        Step::Override(which, Some(state)) => {
            door.call("PUT", &format!("{}/status?value={state}", at(which)), "").await
        }
        Step::Override(which, None) => {
            door.call("DELETE", &format!("{}/status?value=UP", at(which)), "").await
        }
        Step::Register(which, state) => {
            let fields = json!({ "status": state, "lastDirtyTimestamp": dirty.to_string() });
            let body = with(body(app(which), &format!("i-{which}")), &fields);
            door.try_to_appear(&body).await
        }
        Step::Renew(which) => door.call("PUT", &at(which), "").await,
        Step::Fetch | Step::Wait(_) => return,
    };
}

async fn live(steps: Vec<Step>) {
    let door = door();
    let mut clients = vec![(Duration::ZERO, fetch(&door).await)];
    let begun = tokio::time::Instant::now();
    for (number, step) in steps.iter().enumerate() {
        take(&door, step, number).await;
        match step {
            Step::Fetch => clients.push((begun.elapsed(), fetch(&door).await)),
            Step::Wait(seconds) => sleep(Duration::from_secs(*seconds)).await,
            _ => {}
        }
        clients.retain(|(at, _)| begun.elapsed() < *at + Duration::from_secs(180));
        let now = fetch(&door).await;
        for (at, known) in &clients {
            let followed = follow(&door, known).await;
            assert_eq!(followed, (now.clone(), hash(&now)), "fetched at {at:?}, step {number}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn an_old_list_and_a_delta_are_the_new_list(steps in vec(step(), 1..30)) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(live(steps));
    }
}
