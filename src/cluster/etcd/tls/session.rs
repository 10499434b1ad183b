//! TLS sessions with what the files have.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use rustls::pki_types::{ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    Observed, Own,
    fault::{of_tls, plainly},
    files::{Loaded, load},
};
use crate::{
    cluster::etcd::{
        EtcdError, EtcdTls,
        failure::{Failure, Kind},
    },
    util::{FileStamp, aside},
};

/// Makes TLS connections.
#[derive(Debug)]
pub(in crate::cluster::etcd) struct Tls {
    options: EtcdTls,
    name: Option<ServerName<'static>>,
    held: Mutex<Held>,
}

/// What was read, and the state of the files then.
#[derive(Debug)]
struct Held {
    loaded: Arc<Loaded>,
    stamps: [FileStamp; 3],
    /// Why the files cannot be used as they are now, if so: what was loaded is from before.
    fault: Option<String>,
}

/// What a connection is judged by when it fails.
#[derive(Debug, Clone)]
pub(in crate::cluster::etcd) struct Judge {
    loaded: Arc<Loaded>,
    fault: Arc<OnceLock<rustls::Error>>,
}

// === impl Tls ===

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they do not have what they should.
    pub(in crate::cluster::etcd) fn new(options: EtcdTls) -> Result<Self, EtcdError> {
        let name = options.server_name.clone().map(|name| {
            let problem = format!("`{name}` is neither a host's name nor an address");
            let refuse = |_| EtcdError::Options { field: "store.server_name", problem };
            ServerName::try_from(name).map_err(refuse)
        });
        // The stamps first: what changes meanwhile is read again.
        let stamps = stamps(&options);
        let loaded = Arc::new(load(&options)?);
        loaded.warn();
        let held = Mutex::new(Held { loaded, stamps, fault: None });
        Ok(Self { name: name.transpose()?, options, held })
    }

    /// Speaks TLS over `stream` with the host of this name, unless another name was set.
    ///
    /// # Errors
    /// When the handshake fails; a certificate's fault is told in full.
    pub(in crate::cluster::etcd) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> Result<(Observed<TlsStream<TcpStream>>, Judge), Failure> {
        let loaded = self.loaded().await;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| Failure::unsent(format!("`{host}` is no name for TLS")))?,
        };
        let judge = Judge { loaded, fault: Arc::default() };
        let connector = TlsConnector::from(Arc::clone(&judge.loaded.config));
        match connector.connect(name, stream).await {
            Ok(stream) => Ok((Observed::new(stream, Arc::clone(&judge.fault)), judge)),
            Err(error) => Err(match of_tls(&error) {
                Some(fault) => judge.say(fault),
                None => {
                    let hint = "is its URL http, not https?";
                    Failure::unsent(format!("the TLS handshake was cut off ({error}); {hint}"))
                }
            }),
        }
    }

    /// What is wrong with the time of our certificate as it was read last, at that time (seconds
    /// since the Unix epoch), or will soon be.
    pub(in crate::cluster::etcd) fn problem(&self, now: i64) -> Option<String> {
        self.held.lock().loaded.own.as_ref()?.problem(now)
    }

    /// What is wrong with the files as they are now, which are read if they have changed; nothing
    /// when they are in use.
    pub(in crate::cluster::etcd) async fn fault(&self) -> Option<String> {
        let _in_use = self.loaded().await;
        self.held.lock().fault.clone()
    }

    /// What the files have now, or had when they were last right.
    async fn loaded(&self) -> Arc<Loaded> {
        let (options, now) = (self.options.clone(), stamps(&self.options));
        {
            let mut held = self.held.lock();
            if held.stamps == now {
                return Arc::clone(&held.loaded);
            }
            // Whoever comes next does not read them as well; that they are wrong is told once.
            held.stamps = now;
        }
        let read = aside(move || load(&options)).await;
        let mut held = self.held.lock();
        match read {
            // Until it is valid, or the one before is not either.
            Some(Ok(loaded)) if loaded.is_untimely() && !held.loaded.is_untimely() => {
                let fault = loaded.own.as_ref().and_then(|own| own.problem(self::now()));
                if held.fault != fault {
                    tracing::warn!(why = fault, "the certificate for etcd that was in use stays");
                }
                held.fault = fault;
                held.stamps = <[FileStamp; 3]>::default();
            }
            Some(Ok(loaded)) => {
                tracing::info!("read the certificates for etcd again");
                loaded.warn();
                held.loaded = Arc::new(loaded);
                held.fault = None;
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the certificates for etcd that were in use stay in use");
                held.fault = Some(error.to_string());
            }
            None => tracing::debug!("the server is stopping"),
        }
        Arc::clone(&held.loaded)
    }
}

fn stamps(options: &EtcdTls) -> [FileStamp; 3] {
    let of = |path: &Option<std::path::PathBuf>| {
        path.as_deref().map(|path: &Path| FileStamp::of(path)).unwrap_or_default()
    };
    [of(&options.ca_file), of(&options.certificate_file), of(&options.key_file)]
}

/// Seconds since the Unix epoch, by the clock that rustls judges certificates by.
fn now() -> i64 {
    i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX)
}

// === impl Loaded ===

impl Loaded {
    /// Whether our certificate is not valid now.
    fn is_untimely(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.expiry(now()).is_some())
    }

    /// Tells of a certificate of ours that is of no use, or soon will be: etcd refuses it, at each
    /// connection.
    fn warn(&self) {
        if let Some(problem) = self.own.as_ref().and_then(|own| own.problem(now())) {
            tracing::warn!("etcd refuses who comes too early or too late: {problem}");
        }
    }
}

// === impl Judge ===

impl Judge {
    /// What a failure on this connection was, if TLS has said it.
    pub(in crate::cluster::etcd) fn judge(&self, failure: Failure) -> Failure {
        if let Some(fault) = self.fault.get() {
            return self.say(fault);
        }
        let own = self.loaded.own.as_ref();
        match (failure.kind, own.and_then(|own| own.expiry(now()))) {
            // Some hang up without a word.
            (Kind::Lost(cause), Some(expiry)) => {
                let kind = Kind::Certificate(format!("{cause}, behind the handshake: {expiry}"));
                Failure { kind, ..failure }
            }
            (kind, _) => Failure { kind, ..failure },
        }
    }

    fn say(&self, fault: &rustls::Error) -> Failure {
        let own: Option<&Own> = self.loaded.own.as_ref();
        let kind = Kind::Certificate(plainly(fault, own, now()));
        Failure { kind, may_be_done: false }
    }
}
