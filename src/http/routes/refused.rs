//! The refusals that handlers share, for the contract.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, response::Response},
};

/// A path without names in it.
pub(super) struct Read;

/// A path with names in it that may be illegal or unknown.
pub(super) struct Named;

/// A change, which may be refused for more reasons.
pub(super) struct Change;

/// A change with a body.
pub(super) struct ChangeWithBody;

type Responses = BTreeMap<String, RefOr<Response>>;

const NAMED: [(u16, &str); 2] = [
    (404, "There is no such instance, service or policy."),
    (422, "A name, a field or a parameter is not acceptable; `field` says which."),
];
const READ: [(u16, &str); 2] = [
    (422, "A parameter is not acceptable; `field` says which."),
    (503, "This server has not seen `min_revision` in time; ask again, or another one."),
];
const CHANGE: [(u16, &str); 3] = [
    (403, "A browser asks on behalf of a page of another site."),
    (
        503,
        "The server is stopping or too busy, has not seen `min_revision` in time, or its store \
         failed or is out of reach; `code` says which, and `Retry-After` when to try again.",
    ),
    (507, "The store has no room left."),
];
const BODY: [(u16, &str); 3] = [
    (400, "The body is no JSON."),
    (408, "The body did not arrive in time."),
    (413, "The body is above its limit; `limit` says which."),
];

impl IntoResponses for Read {
    fn responses() -> Responses {
        problems(&READ).collect()
    }
}

impl IntoResponses for Named {
    fn responses() -> Responses {
        problems(&READ).chain(problems(&NAMED)).collect()
    }
}

impl IntoResponses for Change {
    fn responses() -> Responses {
        problems(&NAMED).chain(problems(&CHANGE)).collect()
    }
}

impl IntoResponses for ChangeWithBody {
    fn responses() -> Responses {
        problems(&NAMED).chain(problems(&CHANGE)).chain(problems(&BODY)).collect()
    }
}

fn problems(refusals: &[(u16, &str)]) -> impl Iterator<Item = (String, RefOr<Response>)> {
    refusals.iter().map(|(status, description)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description(*description)
            .content("application/problem+json", content)
            .build();
        (status.to_string(), response.into())
    })
}
