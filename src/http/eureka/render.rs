//! Nouns into replies of either form.

use std::borrow::Borrow;

use serde::Serialize;

use super::{
    body::{Application, Applications, Instance, ReplicationReplies},
    negotiate::Form,
    xml::XmlWriter,
};

/// `{"instance": {…}}`, or its XML.
pub(crate) fn instance(form: Form, instance: &Instance) -> Vec<u8> {
    match form {
        Form::Json => json_root("instance", instance),
        Form::Xml => {
            let mut xml = XmlWriter::default();
            xml.instance(instance);
            xml.into_bytes()
        }
    }
}

/// `{"application": {…}}`, or its XML.
pub(crate) fn application(form: Form, application: &Application) -> Vec<u8> {
    match form {
        Form::Json => json_root("application", application),
        Form::Xml => {
            let mut xml = XmlWriter::default();
            xml.application(application);
            xml.into_bytes()
        }
    }
}

/// `{"applications": {…}}`, or its XML.
pub(crate) fn applications(form: Form, all: &Applications) -> Vec<u8> {
    let Applications { version, hashcode, applications } = all;
    applications_in_pieces(form, *version, hashcode, applications.iter()).flatten().collect()
}

/// The same, piece by piece as the client takes it: a list of all instances may have 100 MB, and a
/// client that takes its time should hold a piece of it in memory and not all.
pub(crate) fn applications_in_pieces<A: Borrow<Application>, I: Iterator<Item = A>>(
    form: Form,
    version: u64,
    hashcode: &str,
    mut applications: I,
) -> impl Iterator<Item = Vec<u8>> + use<A, I> {
    /// What one system call takes well.
    const PIECE_OCTETS: usize = 64 << 10;

    let mut piece = head(form, version, hashcode);
    let (mut first, mut ended) = (true, false);
    std::iter::from_fn(move || {
        while !ended && piece.len() < PIECE_OCTETS {
            let Some(application) = applications.next() else {
                ended = true;
                piece.extend_from_slice(match form {
                    Form::Json => b"]}}",
                    Form::Xml => b"</applications>",
                });
                break;
            };
            match form {
                Form::Json => {
                    if !first {
                        piece.push(b',');
                    }
                    json(&mut piece, application.borrow());
                }
                Form::Xml => {
                    let mut xml = XmlWriter::over(std::mem::take(&mut piece));
                    xml.application(application.borrow());
                    piece = xml.into_bytes();
                }
            }
            first = false;
        }
        let piece = std::mem::take(&mut piece);
        (!piece.is_empty()).then_some(piece)
    })
}

/// `{"responseList": […]}`.
pub(crate) fn replication_replies(replies: &ReplicationReplies) -> Vec<u8> {
    let mut out = Vec::new();
    json(&mut out, replies);
    out
}

/// All that stands before the first application.
fn head(form: Form, version: u64, hashcode: &str) -> Vec<u8> {
    match form {
        Form::Json => {
            // Neither has a character that would have to be escaped.
            let head = format!(
                "{{\"applications\":{{\"versions__delta\":\"{version}\",\
                 \"apps__hashcode\":\"{hashcode}\",\"application\":["
            );
            head.into_bytes()
        }
        Form::Xml => {
            let mut xml = XmlWriter::default();
            xml.open("applications");
            xml.leaf("versions__delta", &version.to_string());
            xml.leaf("apps__hashcode", hashcode);
            xml.into_bytes()
        }
    }
}

fn json_root(name: &str, noun: &impl Serialize) -> Vec<u8> {
    let mut out = format!("{{\"{name}\":").into_bytes();
    json(&mut out, noun);
    out.push(b'}');
    out
}

fn json(out: &mut Vec<u8>, noun: &impl Serialize) {
    serde_json::to_writer(out, noun).expect("memory takes all, and all keys are strings");
}
