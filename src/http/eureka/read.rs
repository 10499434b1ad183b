//! Bodies as they are sent, into nouns.

use super::{
    body::{Instance, ReplicationBatch},
    error::EurekaError,
    json,
    negotiate::{Form, without_mark},
    tree::Node,
    xml,
};

/// The instance that registers itself: `{"instance": {…}}` or `<instance>…</instance>`.
///
/// # Errors
/// When the body cannot be read (400), with what is wrong with it.
pub(crate) fn instance(form: Form, body: &[u8]) -> Result<Instance, EurekaError> {
    let tree = tree(form, body)?;
    let node = root(&tree, "instance")?;
    Instance::read(node).map_err(|invalid| invalid.under("instance").into())
}

/// The changes that another server sends, as JSON.
///
/// # Errors
/// When the body cannot be read at all (400); a change that cannot is an error in the list.
pub(crate) fn replication_batch(body: &[u8]) -> Result<ReplicationBatch, EurekaError> {
    tree(Form::Json, body).map(|tree| ReplicationBatch::read(&tree))
}

/// The tree of a body.
///
/// # Errors
/// When there is none, or too much.
pub(super) fn tree(form: Form, body: &[u8]) -> Result<Node, EurekaError> {
    match form {
        Form::Json => json::parse(without_mark(body)),
        Form::Xml => xml::parse(without_mark(body)),
    }
}

/// What stands under the one name that a body has.
///
/// # Errors
/// When it has another one.
pub(super) fn root<'t>(tree: &'t Node, name: &str) -> Result<&'t Node, EurekaError> {
    tree.child(name).ok_or_else(|| EurekaError::bad_request(format!("the body has no `{name}`")))
}
