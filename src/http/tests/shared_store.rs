//! What is said while the store that servers share is out of reach, by each interface in its words.

use serde_json::json;

use super::support::{Door, Reply};
use crate::{http::Options, registry::JournalError};

const A: &str = "/api/v1/services/web/instances/a";

/// One change by each interface: native, Consul's, Eureka's.
async fn changes(door: &Door) -> [Reply; 3] {
    let instance = json!({
        "instanceId": "e", "hostName": "h", "app": "PAY", "ipAddr": "10.0.1.6", "status": "UP",
        "dataCenterInfo": {"name": "MyOwn"},
    });
    let instance = json!({ "instance": instance }).to_string();
    [
        door.call("PUT", A, "{}").await,
        door.call("PUT", "/v1/agent/service/register", r#"{"Name": "api"}"#).await,
        door.call("POST", "/eureka/apps/PAY", &instance).await,
    ]
}

fn codes(replies: &[Reply; 3]) -> [(u16, &str); 3] {
    replies.each_ref().map(|reply| (reply.status.as_u16(), reply.header("retry-after")))
}

#[tokio::test]
async fn a_change_while_the_shared_store_is_out_of_reach_is_refused_in_the_interface_s_words() {
    let door = Door::open(Options::default());
    let why = "http://10.0.0.9:2379: connection refused";
    door.running.kept.fail(Some(JournalError::Unreachable(why.into())));
    let replies = changes(&door).await;
    assert_eq!(codes(&replies), [(503, "5"), (500, ""), (503, "5")]);
    let problem = replies[0].problem(503, "store-unreachable");
    assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    assert_eq!(replies[1].text, "No cluster leader");
    assert!(replies[2].text.contains(why), "{}", replies[2].text);
    door.running.kept.fail(None);
    assert_eq!(codes(&changes(&door).await), [(201, ""), (200, ""), (204, "")]);
}

#[tokio::test]
async fn a_change_that_may_have_been_taken_is_to_be_repeated() {
    let door = Door::open(Options::default());
    door.running.kept.fail(Some(JournalError::Unsure("no reply within 3s".into())));
    let replies = changes(&door).await;
    assert_eq!(codes(&replies), [(503, "1"), (500, ""), (503, "1")]);
    let problem = replies[0].problem(503, "store-unsure");
    assert!(problem["detail"].as_str().unwrap().contains("repeat it"), "{problem}");
    assert_eq!(replies[1].text, "leadership lost while committing log");
    assert!(replies[2].text.contains("repeat it"), "{}", replies[2].text);
}
