//! `rollcall deregister`: takes an instance out of the registry.

use clap::Args;
use hyper::Method;

use crate::cli::{
    client::{Client, Path},
    exit::Failure,
    output::Output,
};

/// Which instance.
#[derive(Debug, Args)]
pub(in crate::cli) struct DeregisterArgs {
    /// The service
    service: String,
    /// The instance
    instance: String,
}

// === impl DeregisterArgs ===

impl DeregisterArgs {
    /// Asks for it, and says at which revision it is gone.
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let Self { service, instance } = &self;
        let path = Path::new(&["services", service, "instances", instance]);
        let reply = client.send(Method::DELETE, &path, None).await?;
        if output.json {
            return Ok(output.json(&reply.json())?);
        }
        let revision = reply.at();
        Ok(output.line(&format!("deregistered {service}/{instance}{revision}"))?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::DeregisterArgs;
    use crate::cli::testing::{Buffer, Stub};

    fn verb() -> DeregisterArgs {
        DeregisterArgs { service: "web".into(), instance: "web-1".into() }
    }

    #[tokio::test]
    async fn it_says_what_is_gone_and_when() {
        let stub = Stub::replying(vec![(204, String::new()); 2]).await;
        let buffer = Buffer::default();
        verb().run(&stub.client(), &mut buffer.output(false)).await.unwrap();
        verb().run(&stub.client(), &mut buffer.output(true)).await.unwrap();
        let json = "{\n  \"revision\": 7\n}\n";
        assert_eq!(buffer.text(), format!("deregistered web/web-1 (revision 7)\n{json}"));
        assert_eq!(stub.asked(), ["DELETE /api/v1/services/web/instances/web-1"; 2]);
    }

    #[tokio::test]
    async fn an_unknown_instance_is_a_negative_result() {
        let problem = json!({"detail": "there is no instance `web-1` of service `web`"});
        let stub = Stub::replying(vec![(404, problem.to_string())]).await;
        let buffer = Buffer::default();
        let failure = verb().run(&stub.client(), &mut buffer.output(false)).await.unwrap_err();
        assert_eq!(failure.code(), 1);
        let message = failure.message().unwrap();
        assert_eq!(message, "error: there is no instance `web-1` of service `web`");
        assert_eq!(buffer.text(), "");
    }
}
