//! One upstream: what it is asked with, and what is made of its replies.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    UpstreamSpec, failure::Failure, health::Health, key::Key, message::is_referral,
    provider::Provider,
};
use crate::dns::SettingsSpec;
use hickory_resolver::{
    NameServerPool, PoolContext, TlsConfig,
    config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverOpts},
    net::{
        DnsError, NetError,
        xfer::{DnsHandle, FirstAnswer},
    },
    proto::{
        op::{DnsRequest, DnsRequestOptions, Message, Query},
        rr::{Name, RecordType},
        serialize::binary::{BinDecodable, BinDecoder},
    },
};

/// Questions under way on one TCP connection: as many as are under way by default in all.
const PIPELINED_MAX: usize = 1_000;

/// An upstream, for as long as it is configured.
pub(super) struct Upstream {
    spec: UpstreamSpec,
    /// Over UDP, and over TCP what comes cut.
    usual: NameServerPool<Provider>,
    /// Over TCP alone: for replies that cannot be read, which may be longer than was asked for.
    tcp: NameServerPool<Provider>,
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
        let pool = |protocols: &[ProtocolConfig]| {
            let connections = protocols.iter().map(|protocol| {
                let mut connection = ConnectionConfig::new(protocol.clone());
                connection.port = spec.address.port();
                connection
            });
            let mut server = NameServerConfig::udp_and_tcp(spec.address.ip());
            server.connections = connections.collect();
            NameServerPool::from_config([server], Arc::clone(&context), Provider::default())
        };
        let tcp = pool(&[ProtocolConfig::Tcp]);
        let usual = match spec.tcp_only {
            true => tcp.clone(),
            false => pool(&[ProtocolConfig::Udp, ProtocolConfig::Tcp]),
        };
        Ok(Self { spec, usual, tcp, timeout, probe_suffix: probe_suffix.into(), health })
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
        let kind = RecordType::from(key.qtype());
        let mut options = DnsRequestOptions::default();
        options.edns_set_dnssec_ok = key.dnssec_ok();
        options.edns_payload_len = SettingsSpec::UDP_SIZE_DEFAULT;
        let mut request = DnsRequest::from_query(Query::query(name, kind), options);
        request.metadata.checking_disabled = key.checking_disabled();
        let asked = async {
            match self.usual.send(request.clone()).first_answer().await {
                // Longer than was asked for, or broken on the way: over TCP neither happens.
                Err(NetError::Proto(_)) if !self.spec.tcp_only => {
                    self.tcp.send(request).first_answer().await
                }
                told => told,
            }
        };
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(Ok(response)) => Ok(response.into_message()),
            Ok(Err(error)) => told_of(error),
            Err(_elapsed) => Err(Failure::Silent),
        }
        .and_then(|message| if is_referral(&message) { Err(Failure::Garbled) } else { Ok(message) })
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("spec", &self.spec).finish_non_exhaustive()
    }
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
        NetError::Io(_) | NetError::NoConnections => Err(Failure::Unreachable),
        NetError::Timeout => Err(Failure::Silent),
        NetError::Busy => Err(Failure::Busy),
        _ => Err(Failure::Garbled),
    }
}
