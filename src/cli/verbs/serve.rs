//! `rollcall serve`: runs the server.

use std::path::PathBuf;

use clap::Args;

use crate::{
    app::{
        self,
        config::{Config, Sources, StoreSettings},
    },
    cli::exit::Failure,
};

/// The keys that have a flag, and the file.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// The configuration; examples/rollcall.toml shows every key
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CONFIG")]
    config: Option<PathBuf>,
    /// Where to answer DNS, UDP and TCP; may be repeated, port 0 picks one [default:
    /// 127.0.0.1:8600]
    #[arg(long, value_name = "ADDR:PORT")]
    dns: Vec<String>,
    /// Where to answer DNS over TLS (usually port 853); may be repeated
    #[arg(long, value_name = "ADDR:PORT")]
    dns_tls: Vec<String>,
    /// Where to answer DNS over HTTPS (usually port 443); may be repeated
    #[arg(long, value_name = "ADDR:PORT")]
    dns_https: Vec<String>,
    /// Where to answer DNS over QUIC (usually port 853); may be repeated
    #[arg(long, value_name = "ADDR:PORT")]
    dns_quic: Vec<String>,
    /// The certificate of those three, with its chain (PEM)
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Makes a certificate to try them out, on 127.0.0.1 with the ports 8853, 8443 and 8853 unless
    /// others are given
    #[arg(long)]
    tls_self_signed: bool,
    /// Where to answer HTTP; may be repeated, port 0 picks one [default: 127.0.0.1:8500]
    #[arg(long, value_name = "ADDR:PORT")]
    http: Vec<String>,
    /// The domain above `service` [default: internal]
    #[arg(long)]
    domain: Option<String>,
    /// The folder of the store, made if it is not there [default: ./rollcall-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where the state is kept: `embedded`, or `etcd=URL,…` to share it with other servers
    /// [default: embedded]
    #[arg(long, value_name = "KIND[=URL]")]
    store: Option<String>,
    /// What all keys in etcd begin with: servers with the same one share a registry [default:
    /// /rollcall]
    #[arg(long)]
    prefix: Option<String>,
    /// The folder of static zone files [default: ./zones, if it is there]
    #[arg(long, value_name = "DIR")]
    zones: Option<String>,
    /// Who is asked for names that are not ours; may be repeated [default: nobody]
    #[arg(long, value_name = "ADDR[:PORT]")]
    forward: Vec<String>,
    /// What to log, such as `debug` or `info,rollcall::dns=debug` [default: info]
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
    /// `text` or `json` [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

// === impl ServeArgs ===

impl ServeArgs {
    /// Runs until the server ends.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let config = Config::load(self.sources(environment()))?;
        app::serve(config)?;
        Ok(())
    }

    fn sources(self, environment: Vec<(String, String)>) -> Sources {
        let one = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        let flags = [
            ("dns.listen", self.dns),
            ("dns.tls.listen", self.dns_tls),
            ("dns.https.listen", self.dns_https),
            ("dns.quic.listen", self.dns_quic),
            ("tls.certificate", one(self.tls_certificate)),
            ("tls.key", one(self.tls_key)),
            ("tls.self_signed", one(self.tls_self_signed.then(|| "true".to_owned()))),
            ("http.listen", self.http),
            ("server.domain", one(self.domain)),
            ("server.data", one(self.data)),
            ("server.zones", one(self.zones)),
            ("store.prefix", one(self.prefix)),
            ("forward.upstreams", self.forward),
            ("log.filter", one(self.log_filter)),
            ("log.format", one(self.log_format)),
        ];
        let store = self.store.iter().flat_map(|text| StoreSettings::flags(text));
        let flags =
            flags.into_iter().filter(|(_, values)| !values.is_empty()).chain(store).collect();
        Sources { file: self.config, environment, flags, is_for_client: false }
    }
}

/// The variables that may be ours. What is not UTF-8 is no value of ours.
pub(in crate::cli) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("ROLLCALL_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::ServeArgs;
    use crate::app::config::Config;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    #[test]
    fn every_flag_reaches_its_key() {
        let line = "serve --dns 127.0.0.1:0 --dns [::1]:0 --http [::1]:1 --domain corp.example \
                    --data /d --zones /z --forward 192.0.2.53 --forward [2001:db8::53]:5353 \
                    --log-filter warn --log-format json --dns-tls [::1]:2 --dns-https [::1]:4 \
                    --dns-quic [::1]:3 --tls-certificate c --tls-key k \
                    --store etcd=http://127.0.0.1,http://[::1]:4001 --prefix /a";
        let serve = Line::parse_from(line.split_whitespace()).serve;
        let config = Config::load(serve.sources(Vec::new())).unwrap();
        let differ = config.diff_reload(&Config::default());
        // `dns.hostmaster` and `dns.nameservers` follow from the domain and the addresses.
        assert_eq!(
            differ.needs_restart,
            [
                "server.domain",
                "server.data",
                "server.zones",
                "dns.listen",
                "dns.hostmaster",
                "dns.nameservers",
                "dns.tls.listen",
                "dns.https.listen",
                "dns.quic.listen",
                "tls.certificate",
                "tls.key",
                "http.listen",
                "store.kind",
                "store.endpoints",
                "store.prefix",
                "log.format"
            ]
        );
        assert_eq!(differ.changed, ["forward.upstreams", "log.filter"]);
        assert_eq!(config.dns.listen.len(), 2);
    }

    #[test]
    fn without_flags_all_is_default() {
        let serve = Line::parse_from(["serve"]).serve;
        assert_eq!(Config::load(serve.sources(Vec::new())).unwrap(), Config::default());
    }
}
