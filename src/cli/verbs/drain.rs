//! `rollcall drain`: takes an instance out of the answers, or puts it back.

use clap::Args;
use hyper::Method;

use crate::cli::{
    client::{Client, Path},
    exit::Failure,
    output::Output,
};

/// Which instance, and which way.
#[derive(Debug, Args)]
pub(in crate::cli) struct DrainArgs {
    /// The service
    service: String,
    /// The instance
    instance: String,
    /// Put it back into the answers
    #[arg(long)]
    undo: bool,
}

// === impl DrainArgs ===

impl DrainArgs {
    /// Asks for it, and says at which revision it is so.
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let Self { service, instance, undo } = &self;
        let path = Path::new(&["services", service, "instances", instance, "drain"]);
        let (method, done) =
            if *undo { (Method::DELETE, "put back") } else { (Method::PUT, "drained") };
        let reply = client.send(method, &path, None).await?;
        if output.json {
            return Ok(output.json(&reply.json())?);
        }
        let revision = reply.at();
        Ok(output.line(&format!("{done} {service}/{instance}{revision}"))?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::DrainArgs;
    use crate::cli::testing::{Buffer, Stub};

    #[tokio::test]
    async fn an_instance_is_drained_and_put_back() {
        let stub = Stub::replying(vec![(200, json!({"drained": true}).to_string()); 2]).await;
        let buffer = Buffer::default();
        for undo in [false, true] {
            let verb = DrainArgs { service: "web".into(), instance: "w1".into(), undo };
            verb.run(&stub.client(), &mut buffer.output(false)).await.unwrap();
        }
        assert_eq!(buffer.text(), "drained web/w1 (revision 7)\nput back web/w1 (revision 7)\n");
        let path = "/api/v1/services/web/instances/w1/drain";
        assert_eq!(stub.asked(), [format!("PUT {path}"), format!("DELETE {path}")]);
    }
}
