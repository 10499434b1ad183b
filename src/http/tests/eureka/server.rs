//! The server as a whole: forms, names, and what is not there.

use serde_json::json;

use super::support::{body, door, with};

#[tokio::test]
async fn a_client_that_does_not_ask_for_json_is_answered_in_xml() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    for (path, root) in [
        (
            "/eureka/apps/",
            "<applications><versions__delta>1</versions__delta>\
            <apps__hashcode>UP_1_</apps__hashcode><application><name>PAY</name><instance>",
        ),
        ("/eureka/apps/delta", "<applications><versions__delta>1</versions__delta>"),
        ("/eureka/apps/PAY", "<application><name>PAY</name><instance>"),
        ("/eureka/apps/PAY/a", "<instance><instanceId>a</instanceId>"),
        ("/eureka/status", "<status><generalStats><apps-hashcode>UP_1_</apps-hashcode>"),
        ("/eureka/serverinfo/statusoverrides", "<map></map>"),
    ] {
        let reply = door.get(path).await;
        assert_eq!(reply.header("content-type"), "application/xml", "{path}");
        assert!(reply.text.starts_with(root), "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_registration_in_xml_is_one_too() {
    let door = door();
    let text = "<instance><instanceId>x</instanceId><hostName>h</hostName><app>pay</app>\
        <ipAddr>10.0.0.1</ipAddr><status>UP</status><port enabled=\"true\">81</port>\
        <dataCenterInfo class=\"x\"><name>MyOwn</name></dataCenterInfo></instance>";
    let reply =
        door.eureka("POST", "/eureka/v2/apps/pay", ("content-type", "application/xml"), text).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(door.instance("/eureka/apps/pay/x").await["port"]["$"], 81);
}

#[tokio::test]
async fn instances_are_found_by_the_names_that_they_answer_to() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let other = json!({ "vipAddress": "money", "status": "DOWN", "secureVipAddress": "pay" });
    door.appear(&with(body("SHOP", "b"), &other)).await;
    for (path, hashcode, names) in [
        ("vips/pay", "UP_1_", &["PAY"][..]),
        ("vips/money", "DOWN_1_UP_1_", &["PAY", "SHOP"]),
        ("svips/pay", "DOWN_1_", &["SHOP"]),
        ("svips/safe", "UP_1_", &["PAY"]),
        ("vips/mone", "", &[]),
        ("vips/%22", "", &[]),
    ] {
        let all = door.shown(&format!("/eureka/{path}")).await["applications"].clone();
        assert_eq!(all["apps__hashcode"], hashcode, "{path}");
        let applications = all["application"].as_array().unwrap();
        let mut found: Vec<_> = applications.iter().map(|a| a["name"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, names, "{path}");
    }
}

#[tokio::test]
async fn names_follow_what_is_registered() {
    let door = door();
    let count = async |path: &str| {
        let all = door.shown(&format!("/eureka/{path}")).await["applications"].clone();
        let applications = all["application"].as_array().unwrap();
        applications.iter().map(|a| a["instance"].as_array().unwrap().len()).sum::<usize>()
    };
    assert_eq!(count("vips/pay").await, 0);
    door.appear(&body("PAY", "a")).await;
    door.appear(&body("PAY", "b")).await;
    assert_eq!((count("vips/pay").await, count("svips/safe").await), (2, 2));
    let other = json!({ "vipAddress": " a\"b ,,c\n", "lastDirtyTimestamp": "1001" });
    door.appear(&with(body("PAY", "a"), &other)).await;
    assert_eq!((count("vips/pay").await, count("vips/money").await), (1, 1));
    assert_eq!((count("vips/a%22b").await, count("vips/c").await), (1, 1), "as JSON escapes it");
    assert_eq!(door.code("DELETE", "/eureka/apps/PAY/b").await, 200);
    assert_eq!((count("vips/pay").await, count("svips/safe").await), (0, 1));
    door.register("pay/native", "{}").await;
    assert_eq!((count("vips/pay").await, count("svips/pay").await), (1, 0));
}

#[tokio::test]
async fn what_is_not_there_is_said_in_a_line_of_text() {
    let door = door();
    for (method, path, status) in [
        ("GET", "/eureka/apps/NOBODY", 404),
        ("GET", "/eureka/instances/nobody", 404),
        ("GET", "/eureka/nothing", 404),
        ("PATCH", "/eureka/apps", 405),
        ("PUT", "/eureka/asg/pay-v1/status?value=DISABLED", 400),
    ] {
        let reply = door.call(method, path, "").await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert_ne!(reply.header("content-type"), "application/problem+json", "{path}");
    }
}
