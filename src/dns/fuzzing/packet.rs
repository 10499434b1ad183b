//! The reader of packets: what it takes for a plain query is one, and reads as hickory has it.

use hickory_proto::{op::Message, serialize::binary::BinDecodable};

use super::{request::is_silence_right, walk, walk::options};
use crate::dns::{
    Parsed,
    code::option,
    parse,
    query::{HEADER_OCTETS, VERSION},
};

/// Reads a packet.
///
/// # Panics
/// When what was read is not what is there.
pub fn packet(octets: &[u8]) {
    match parse(octets) {
        Parsed::Drop => assert!(is_silence_right(octets), "dropped"),
        Parsed::Other => assert!(!is_silence_right(octets), "answered"),
        Parsed::Query(query) => {
            assert!(!is_silence_right(octets), "answered");
            // What is wrong with options, or what another version means by them, is for the reply.
            let edns = query.edns;
            if edns.is_some_and(|edns| edns.options.are_broken || edns.version != VERSION) {
                return;
            }
            let walked = walk(octets).unwrap_or_else(|problem| panic!("{problem}"));
            let place = walked.question.clone().expect("a plain query has a question");
            assert_eq!(octets[place.clone()], *query.question());
            let name = &octets[HEADER_OCTETS..place.end - 4];
            assert_eq!(name.to_ascii_lowercase(), query.name());
            assert!(walked.records.iter().all(|seen| seen.section == 2));
            assert_eq!(walked.opt().is_some(), edns.is_some());
            if let (Some(opt), Some(edns)) = (walked.opt(), edns) {
                assert_eq!(opt.class.max(512), edns.udp_size);
                assert_eq!(opt.ttl & 0x8000 != 0, edns.dnssec_ok);
                let codes: Vec<u16> = options(&octets[opt.data.clone()]).map(|(c, _)| c).collect();
                assert_eq!(codes.contains(&option::NSID), edns.options.nsid);
                assert_eq!(codes.contains(&option::PADDING), edns.options.padding);
                assert_eq!(codes.contains(&option::COOKIE), edns.options.cookie.is_some());
                // It refuses some that mean nothing to us.
                if !codes.is_empty() {
                    return;
                }
            }
            let message = Message::from_bytes(octets).expect("hickory reads every plain query");
            let (head, asked) = (&message.metadata, &message.queries[0]);
            assert_eq!((head.id, head.recursion_desired), (query.id, query.recursion_desired));
            assert_eq!(head.checking_disabled, query.checking_disabled);
            assert_eq!(u16::from(asked.query_type()), query.qtype);
            assert_eq!(u16::from(asked.query_class()), query.qclass);
        }
    }
}
