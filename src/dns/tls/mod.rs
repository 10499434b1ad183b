//! What the encrypted transports have in common: whose certificate is shown, and TLS itself.
//!
//! One certificate is shown on all of them. It is read from two files ([`CertificateFiles`]), which
//! are looked at every second like zone files, and the pair is taken over as a whole or not at all:
//! what is wrong is refused by file and line, and what was shown before stays. Connections that
//! are open are left alone. Or it is made at the start and signed by itself ([`self_signed()`]).
//!
//! hickory's own transports are not used, for the reason that is given in `tcp.rs`, and because
//! they have no limit on connections, handshakes or streams. TLS is rustls' with aws-lc-rs, of the
//! versions 1.2 and 1.3 (what is older is forbidden by RFC 8996); sessions are resumed by tickets,
//! and nothing is taken before the handshake is over, because 0-RTT data can be sent again by
//! anybody who has seen it (RFC 9250 §4.5).

mod files;
mod handshake;
mod identity;
mod metrics;
mod self_signed;
mod watch;
mod wire;
mod x509;

pub use files::{CertificateError, CertificateFiles};
pub(super) use handshake::{handshake_failed, shake_hands};
pub use identity::{Identity, ShownIdentity};
pub use self_signed::self_signed;
pub use watch::{CertificateReload, CertificateWatcher};
