//! One upstream: what it is asked with, and what is made of its replies.

use std::{fmt, sync::Arc, time::Duration};

use hickory_resolver::{
    NameServerPool, PoolContext, TlsConfig,
    config::{ProtocolConfig, ResolverOpts},
    net::{
        DnsError, NetError,
        xfer::{DnsHandle, FirstAnswer},
    },
    proto::{
        op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query},
        rr::{Name, RecordType},
        serialize::binary::{BinDecodable, BinDecoder},
    },
};

use super::{
    UpstreamSpec,
    edns::Edns,
    failure::Failure,
    health::Health,
    key::Key,
    message::is_referral,
    provider::{Provider, Shortages},
    streams::{Connector, Streams},
};
use crate::dns::{SettingsSpec, code::rcode};

/// Questions under way on one TCP connection: half of the ids that there are. How many there may be
/// in all is less, so none is turned away for this.
const PIPELINED_MAX: usize = 1 << 15;

/// An upstream, for as long as it is configured.
pub(super) struct Upstream {
    spec: UpstreamSpec,
    /// Unless it is asked over TCP only.
    udp: Option<NameServerPool<Provider>>,
    tcp: Streams,
    shortages: Shortages,
    edns: Edns,
    timeout: Duration,
    /// The end of names that it is asked for: wire labels.
    probe_suffix: Box<[u8]>,
    /// How it does.
    pub(super) health: Health,
}

// === impl Upstream ===

impl Upstream {
    /// An upstream that may take `timeout` for a reply, and is asked for names that end in
    /// `probe_suffix`, among others.
    ///
    /// # Errors
    /// When the resolver cannot be made.
    pub(super) fn new(
        spec: UpstreamSpec,
        timeout: Duration,
        probe_suffix: &[u8],
        health: Health,
    ) -> Result<Self, String> {
        let mut options = ResolverOpts::default();
        options.timeout = timeout;
        options.max_active_requests = PIPELINED_MAX;
        options.num_concurrent_reqs = 1;
        let tls = TlsConfig::new().map_err(|error| error.to_string())?;
        let context = Arc::new(PoolContext::new(options, tls));
        let shortages = Shortages::default();
        let connector = Connector { spec, context, shortages: shortages.clone() };
        Ok(Self {
            spec,
            udp: (!spec.tcp_only).then(|| connector.pool(ProtocolConfig::Udp)),
            tcp: Streams::new(connector, timeout),
            shortages,
            edns: Edns::default(),
            timeout,
            probe_suffix: probe_suffix.into(),
            health,
        })
    }

    /// Where it is.
    pub(super) fn spec(&self) -> UpstreamSpec {
        self.spec
    }

    /// How long it may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The end of names that it is asked for: wire labels.
    pub(super) fn probe_suffix(&self) -> &[u8] {
        &self.probe_suffix
    }

    /// Asks, and waits for `timeout` at the most. The reply is as it came, but for its EDNS
    /// options.
    ///
    /// # Errors
    /// When there is no reply, or one that says that the upstream cannot help.
    pub(super) async fn ask(&self, key: &Key) -> Result<Message, Failure> {
        let name = Name::read(&mut BinDecoder::new(key.name())).map_err(|_| Failure::Garbled)?;
        let query = Query::query(name, RecordType::from(key.qtype()));
        let shortages = self.shortages.count();
        let asked = tokio::time::timeout(self.timeout, self.exchange(query, key)).await;
        match asked.unwrap_or(Err(Failure::Silent)) {
            // Who has no socket left learns nothing about an upstream.
            Err(failure) if failure.is_upstreams() && self.shortages.count() != shortages => {
                Err(Failure::Busy)
            }
            Ok(message) if is_referral(&message) => Err(Failure::Garbled),
            told => told,
        }
    }

    /// Asks with EDNS, and without it whoever cannot read that (RFC 6891 §6.2.2).
    async fn exchange(&self, query: Query, key: &Key) -> Result<Message, Failure> {
        let has_edns = self.edns.is_to_be_used();
        let told = self.send(request(query.clone(), key, has_edns)).await;
        if !has_edns || !matches!(told, Err(Failure::Code(rcode::FORMERR))) {
            self.edns.told(told.as_ref().ok());
            return told;
        }
        let told = self.send(request(query, key, false)).await;
        if told.is_ok() {
            self.edns.is_not_understood();
        }
        told
    }

    async fn send(&self, request: DnsRequest) -> Result<Message, Failure> {
        let told = match &self.udp {
            Some(udp) => match udp.send(request.clone()).first_answer().await {
                // Cut, longer than was asked for, or broken on the way: not so over TCP.
                Err(NetError::Truncated | NetError::Proto(_)) => self.tcp.send(request).await,
                told => told,
            },
            None => self.tcp.send(request).await,
        };
        told.map(DnsResponse::into_message).or_else(told_of)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("spec", &self.spec).finish_non_exhaustive()
    }
}

fn request(query: Query, key: &Key, has_edns: bool) -> DnsRequest {
    let mut options = DnsRequestOptions::default();
    options.use_edns = has_edns;
    options.edns_set_dnssec_ok = key.dnssec_ok();
    options.edns_payload_len = SettingsSpec::UDP_SIZE_DEFAULT;
    let mut request = DnsRequest::from_query(query, options);
    request.metadata.checking_disabled = key.checking_disabled();
    request
}

/// hickory takes some replies for errors: "there is nothing", which is an answer, and the codes by
/// which a server says that it cannot or will not.
fn told_of(error: NetError) -> Result<Message, Failure> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(nothing)) => {
            let mut message = Message::query().into_response();
            message.metadata.response_code = nothing.response_code;
            message.authorities = nothing.authorities.map(|all| all.to_vec()).unwrap_or_default();
            Ok(message)
        }
        NetError::Dns(DnsError::ResponseCode(code)) => Err(Failure::Code(code.into())),
        NetError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(Failure::Silent),
        NetError::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(Failure::Refused)
        }
        NetError::Io(_) | NetError::NoConnections => Err(Failure::Unreachable),
        NetError::Timeout => Err(Failure::Silent),
        NetError::Busy => Err(Failure::Busy),
        _ => Err(Failure::Garbled),
    }
}
