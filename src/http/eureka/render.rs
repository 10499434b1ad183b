//! Nouns into replies of either form.

use std::{borrow::Borrow, sync::LazyLock};

use serde::Serialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::{
    body::{Instance, LeaseInfo, ReplicationReplies},
    negotiate::Form,
    xml::XmlWriter,
};

/// A list of instances by application, made piece by piece as the client takes it: a list of all
/// may have 100 MB, and a client that takes its time should hold a piece of it in memory and not
/// all. Instances of one application follow one another.
struct Pieces<S> {
    form: Form,
    instances: S,
    /// What is to be sent next.
    piece: Vec<u8>,
    /// The application whose instances are being written.
    application: Option<SmolStr>,
    /// What stands behind the last application.
    end: Option<&'static [u8]>,
}

/// `{"instance": {…}}`, or its XML.
pub(crate) fn instance(form: Form, instance: &Instance) -> Vec<u8> {
    match form {
        Form::Json => {
            let mut out = b"{\"instance\":".to_vec();
            json(&mut out, instance);
            out.push(b'}');
            out
        }
        Form::Xml => {
            let mut xml = XmlWriter::default();
            xml.instance(instance);
            xml.into_bytes()
        }
    }
}

/// What is kept of an instance: the same as JSON, without what is taken for granted where nothing
/// is said. That is less than half of it, and there are as many in memory as instances.
pub(crate) fn kept(instance: &Instance) -> String {
    static GRANTED: LazyLock<[Value; 2]> =
        LazyLock::new(|| [value(&Instance::default()), value(&LeaseInfo::default())]);

    let mut said = value(instance);
    leave_out(&mut said, &GRANTED[0]);
    if let Some(lease) = said.get_mut("leaseInfo") {
        leave_out(lease, &GRANTED[1]);
    }
    // The class follows from the name.
    if let Some(center) = said.get_mut("dataCenterInfo").and_then(Value::as_object_mut) {
        center.remove("@class");
    }
    serde_json::json!({ "instance": said }).to_string()
}

/// `{"application": {…}}`, or its XML, of the instances of one application.
pub(crate) fn application<I: Borrow<Instance>, S: Iterator<Item = (SmolStr, I)>>(
    form: Form,
    instances: S,
) -> impl Iterator<Item = Vec<u8>> + use<I, S> {
    let (head, end) = match form {
        Form::Json => (&b"{\"application\":"[..], &b"}"[..]),
        Form::Xml => (&b""[..], &b""[..]),
    };
    Pieces { form, instances, piece: head.to_vec(), application: None, end: Some(end) }
}

/// `{"applications": {…}}`, or its XML.
pub(crate) fn applications<I: Borrow<Instance>, S: Iterator<Item = (SmolStr, I)>>(
    form: Form,
    version: u64,
    hashcode: &str,
    instances: S,
) -> impl Iterator<Item = Vec<u8>> + use<I, S> {
    let (piece, end) = match form {
        // Neither has a character that would have to be escaped.
        Form::Json => {
            let head = format!(
                "{{\"applications\":{{\"versions__delta\":\"{version}\",\
                 \"apps__hashcode\":\"{hashcode}\",\"application\":["
            );
            (head.into_bytes(), &b"]}}"[..])
        }
        Form::Xml => {
            let mut xml = XmlWriter::default();
            xml.open("applications");
            xml.leaf("versions__delta", &version.to_string());
            xml.leaf("apps__hashcode", hashcode);
            (xml.into_bytes(), &b"</applications>"[..])
        }
    };
    Pieces { form, instances, piece, application: None, end: Some(end) }
}

/// `{"responseList": […]}`.
pub(crate) fn replication_replies(replies: &ReplicationReplies) -> Vec<u8> {
    let mut out = Vec::new();
    json(&mut out, replies);
    out
}

fn leave_out(said: &mut Value, granted: &Value) {
    if let Some(said) = said.as_object_mut() {
        said.retain(|name, value| granted.get(name) != Some(value));
    }
}

fn value(noun: &impl Serialize) -> Value {
    serde_json::to_value(noun).expect("all keys are strings")
}

fn json(out: &mut Vec<u8>, noun: &impl Serialize) {
    serde_json::to_writer(out, noun).expect("memory takes all, and all keys are strings");
}

// === impl Pieces ===

impl<I: Borrow<Instance>, S: Iterator<Item = (SmolStr, I)>> Iterator for Pieces<S> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        /// What one system call takes well.
        const PIECE_OCTETS: usize = 64 << 10;

        while self.end.is_some() && self.piece.len() < PIECE_OCTETS {
            match self.instances.next() {
                Some((application, instance)) => self.put(application, instance.borrow()),
                None => self.finish(),
            }
        }
        let piece = std::mem::take(&mut self.piece);
        (!piece.is_empty()).then_some(piece)
    }
}

impl<S> Pieces<S> {
    fn put(&mut self, application: SmolStr, instance: &Instance) {
        let is_next = self.application.as_ref() != Some(&application);
        let is_first = self.application.is_none();
        if is_next && !is_first {
            self.close();
        }
        match self.form {
            Form::Json => {
                if !is_first {
                    self.piece.push(b',');
                }
                if is_next {
                    self.piece.extend_from_slice(b"{\"name\":");
                    json(&mut self.piece, &application);
                    self.piece.extend_from_slice(b",\"instance\":[");
                }
                json(&mut self.piece, instance);
            }
            Form::Xml => {
                let mut xml = XmlWriter::over(std::mem::take(&mut self.piece));
                if is_next {
                    xml.open("application");
                    xml.leaf("name", &application);
                }
                xml.instance(instance);
                self.piece = xml.into_bytes();
            }
        }
        self.application = Some(application);
    }

    /// Ends the application.
    fn close(&mut self) {
        self.piece.extend_from_slice(match self.form {
            Form::Json => b"]}",
            Form::Xml => b"</application>",
        });
    }

    fn finish(&mut self) {
        if self.application.is_some() {
            self.close();
        }
        self.piece.extend_from_slice(self.end.take().unwrap_or_default());
    }
}
