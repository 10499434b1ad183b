//! `rollcall list`: all services with the counts of their instances.

use clap::Args;

use crate::cli::{
    client::{Client, Path},
    exit::Failure,
    output::Output,
    reply::Services,
    table,
};

/// Nothing but the client options.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {}

// === impl ListArgs ===

impl ListArgs {
    /// Prints the table.
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let (reply, json) = client.get::<Services>(&Path::new(&["services"])).await?;
        if output.json {
            return Ok(output.json(&json)?);
        }
        let numbers =
            ["INSTANCES", "ANSWERED", "PASSING", "WARNING", "CRITICAL", "SUSPECT", "DRAINED"];
        let header = [&["SERVICE"], &numbers[..], &["TAGS"]].concat();
        let mut rows = table::Rows::new(output, &header, &numbers);
        for service in &reply.services {
            let tags: Vec<_> = service.tags.iter().map(|tag| &tag.tag).collect();
            rows.add(vec![
                table::cell(&service.service),
                table::cell(&service.instances),
                table::cell(&service.answered),
                table::cell(&service.passing),
                table::cell(&service.warning),
                table::cell(&service.critical),
                table::cell(&service.suspect),
                table::cell(&service.drained),
                table::list(&tags),
            ]);
        }
        Ok(output.table(rows)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ListArgs;
    use crate::cli::testing::{Buffer, Stub};

    #[tokio::test]
    async fn services_are_a_table_that_awk_can_read() {
        let reply = json!({"revision": 9, "unheard_of": [], "services": [
            {"service": "payment", "instances": 12, "passing": 10, "warning": 1, "critical": 1,
             "drained": 2, "suspect": 3, "answered": 9,
             "tags": [{"tag": "v1"}, {"tag": "v2", "answered": 1}]},
            {"service": "web", "instances": 1, "passing": 1, "answered": 1},
        ]});
        let stub = Stub::replying(vec![(200, reply.to_string()), (200, reply.to_string())]).await;
        let buffer = Buffer::default();
        ListArgs {}.run(&stub.client(), &mut buffer.output(false)).await.unwrap();
        assert_eq!(
            buffer.text(),
            "SERVICE  INSTANCES  ANSWERED  PASSING  WARNING  CRITICAL  SUSPECT  DRAINED  TAGS\n\
             payment         12         9       10        1         1        3        2  v1,v2\n\
             web              1         1        1        0         0        0        0  -\n"
        );
        let json_buffer = Buffer::default();
        ListArgs {}.run(&stub.client(), &mut json_buffer.output(true)).await.unwrap();
        let printed: serde_json::Value = serde_json::from_str(&json_buffer.text()).unwrap();
        assert_eq!(printed, reply, "JSON is what the server said");
        assert_eq!(stub.asked(), ["GET /api/v1/services"; 2]);
    }
}
