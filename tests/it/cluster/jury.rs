//! Where several servers check each instance, the majority of them decides.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::{
    api::{Api, instance_path},
    etcd::Etcd,
    eventually,
    lab::{Host, Lab, alone},
    node::Node,
};

const SERVERS: [&str; 3] = ["a", "b", "c"];

fn server(name: &str, host: &Host, etcd: &Etcd) -> (Node, Api) {
    let config = format!("[cluster]\nserver_id = \"{name}\"\nlease = \"2s\"\ncheckers = 3\n");
    let store = format!("etcd={}", etcd.endpoints().join(","));
    let node = Node::builder().host(host).config(&config).arg("--store").arg(store).start();
    let api = node.api();
    (node, api)
}

/// A port that takes connections for as long as the test runs.
fn target(host: &Host) -> u16 {
    let listener = host.run(|| TcpListener::bind((host.address, 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    port
}

/// Waits until each server shows the check in this state, with these servers of another opinion.
fn all_show(servers: &[(Node, Api)], status: &str, dissent: &[&str]) {
    for (_, api) in servers {
        eventually(&format!("{status}, but for {dissent:?}"), || {
            let shown = api.get(&instance_path("web", "a")).body;
            let check = &shown["checks"][0];
            let others: Vec<&Value> =
                check["dissent"].as_array().into_iter().flatten().map(|it| &it["server"]).collect();
            (shown["status"] == status && others == dissent).then_some(())
        });
    }
}

#[test]
fn what_one_of_three_cannot_reach_stays_up_and_what_two_cannot_reach_is_down() {
    alone(|| {
        let lab = Lab::new(&["a", "b", "c", "etcd", "target"]);
        let etcd = Etcd::builder().on(&[lab.host("etcd")]).start();
        let servers = SERVERS.map(|name| server(name, lab.host(name), &etcd));
        for (_, api) in &servers {
            eventually("all know one another", || {
                api.text("/metrics").contains("rollcall_cluster_servers 3\n").then_some(())
            });
        }
        let host = lab.host("target");
        let check = json!({"type": "tcp", "interval": "200ms", "timeout": "150ms"});
        let body = json!({"addresses": [host.address], "port": target(host), "checks": [check]});
        servers[0].1.register("web", "a", &body);
        all_show(&servers, "passing", &[]);

        let one = lab.cut("a", "target");
        all_show(&servers, "passing", &["a"]);
        let two = lab.cut("c", "target");
        all_show(&servers, "critical", &["b"]);
        drop(one);
        all_show(&servers, "passing", &["c"]);
        drop(two);
        all_show(&servers, "passing", &[]);

        // The opinion of a server that is killed goes with it, and two of two are all there are.
        let _one = lab.cut("a", "target");
        all_show(&servers, "passing", &["a"]);
        let [a, b, c] = servers;
        drop(a);
        let mut rest = vec![b, c];
        all_show(&rest, "passing", &[]);
        let _two = lab.cut("b", "target");
        all_show(&rest, "passing", &["b"]);
        drop(rest.pop());
        all_show(&rest, "critical", &[]);
    });
}
