//! The targets of the fuzzer, in a second or two each, on the stable compiler.

use super::{framing, packet, request, zone_file};
use crate::util::smoke;

#[test]
fn what_is_taken_for_a_query_is_one() {
    smoke("packet", packet, 50_000);
}

#[test]
fn any_message_gets_silence_or_a_reply_that_may_be_sent() {
    smoke("request", request, 20_000);
}

#[test]
fn any_octets_of_a_connection_are_answered_message_by_message() {
    smoke("framing", framing, 5_000);
}

#[test]
fn any_zone_file_is_refused_on_one_line_or_served() {
    smoke("zone_file", zone_file, 15_000);
}
