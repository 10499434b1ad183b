//! `rollcall servers`: the servers that share the registry, as the one that is asked sees them.

use clap::Args;

use super::show::age;
use crate::{
    cli::{
        client::{Client, Path},
        exit::Failure,
        output::Output,
        reply::Servers,
        table,
    },
    util::Clock,
};

/// Nothing but the client options.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServersArgs {}

// === impl ServersArgs ===

impl ServersArgs {
    /// Prints what is the matter, if anything is, and the table.
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        output: &mut Output,
        clock: &Clock,
    ) -> Result<(), Failure> {
        let (reply, json) = client.get::<Servers>(&Path::new(&["servers"])).await?;
        if output.json {
            return Ok(output.json(&json)?);
        }
        if let Some(matter) = matter(&reply) {
            output.sentence(matter)?;
            output.line("")?;
        }
        let header = ["SERVER", "HTTP", "VERSION", "SINCE", "INSTANCES", "ASKED"];
        let mut rows = table::Rows::new(output, &header, &["SINCE", "INSTANCES"]);
        for server in &reply.servers {
            let since = server.started.as_deref().map(|started| age(started, clock));
            let instances = server.instances.map(|count| count.to_string());
            rows.add(vec![
                table::cell(&server.server),
                table::list(&server.http),
                table::cell(&server.version),
                table::cell(&since.unwrap_or_default()),
                table::cell(&instances.unwrap_or_default()),
                table::cell(&if server.me { "yes" } else { "" }),
            ]);
        }
        Ok(output.table(rows)?)
    }
}

/// What whoever reads the table has to know first.
fn matter(reply: &Servers) -> Option<&'static str> {
    if !reply.shared {
        Some("the registry is this server's alone: its store is the embedded one")
    } else if reply.cut_off {
        Some(
            "this server is cut off from etcd, or etcd takes no changes: it checks everything by \
             itself, and these are the servers that it knew last",
        )
    } else if !reply.joined {
        Some("the others do not know this server, and do its work")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::ServersArgs;
    use crate::{
        cli::testing::{Buffer, Stub},
        util::Clock,
    };

    async fn text(reply: &Value) -> String {
        let stub = Stub::replying(vec![(200, reply.to_string())]).await;
        let (buffer, clock) =
            (Buffer::default(), Clock::starting_at(Duration::from_secs(1_767_225_600)));
        ServersArgs {}.run(&stub.client(), &mut buffer.output(false), &clock).await.unwrap();
        assert_eq!(stub.asked(), ["GET /api/v1/servers"]);
        buffer.text()
    }

    fn reply() -> Value {
        json!({"shared": true, "joined": true, "cut_off": false, "servers": [
            {"server": "a", "http": ["10.0.0.1:8500", "[fd00::1]:8500"], "version": "0.2.0",
             "started": "2025-12-31T23:58:30Z", "me": true, "instances": 412},
            {"server": "b", "http": [], "me": false, "unheard_of": 1},
        ]})
    }

    #[tokio::test]
    async fn servers_are_a_table_and_what_is_not_known_is_a_dash() {
        assert_eq!(
            text(&reply()).await,
            "SERVER  HTTP                          VERSION  SINCE  INSTANCES  ASKED\n\
             a       10.0.0.1:8500,[fd00::1]:8500  0.2.0       1m        412  yes\n\
             b       -                             -            -          -  -\n"
        );
    }

    #[tokio::test]
    async fn what_is_the_matter_stands_before_the_table() {
        for (field, value, said) in [
            ("shared", false, "the registry is this server's alone"),
            ("cut_off", true, "this server is cut off from etcd"),
            ("joined", false, "the others do not know this server"),
        ] {
            let mut reply = reply();
            reply[field] = value.into();
            let text = text(&reply).await;
            assert!(text.starts_with(said) && text.contains("\n\nSERVER  "), "{field}: {text}");
        }
    }
}
