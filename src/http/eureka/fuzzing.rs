//! What must hold of any octets as a body of Eureka's interface, as a function that panics where it
//! does not: for cargo-fuzz (`tests/fuzz/`), and for the tests with its kept inputs.

use super::{body::Instance, negotiate::Form, read, render};

/// Any octets as a body in either form: refused in few words, or read; what was read can be written
/// in both forms and read again, and is the same then.
pub fn eureka_body(octets: &[u8]) {
    for form in [Form::Json, Form::Xml] {
        match read::instance(form, octets) {
            Ok(instance) => is_written(form, &instance),
            Err(refusal) => assert!(refusal.text.len() < 1_000, "{}", refusal.text),
        }
    }
    let batch = read::replication_batch(octets).map(|batch| batch.0).unwrap_or_default();
    for instance in batch.into_iter().flatten().filter_map(|change| change.instance_info) {
        is_written(Form::Json, &instance);
    }
}

fn is_written(form: Form, instance: &Instance) {
    let written = |form| {
        let again = read::instance(form, &render::instance(form, instance));
        again.unwrap_or_else(|refusal| panic!("{}: {instance:?}", refusal.text))
    };
    assert_eq!(written(form), *instance);
    // XML has no form for some characters and says U+FFFD in their place, but can be read.
    let other = if form == Form::Json { Form::Xml } else { Form::Json };
    let other = written(other);
    assert!(form == Form::Json || other == *instance, "{other:?} is not {instance:?}");
}

#[test]
fn any_body_of_eureka_s_interface_is_refused_in_few_words_or_read_as_it_is_written() {
    crate::util::smoke("eureka_body", eureka_body, 20_000);
}
