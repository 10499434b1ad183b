//! DNS over HTTPS (RFC 8484), HTTP/2 and HTTP/1.1 over TLS.
//!
//! hyper speaks HTTP, on the same threads on which connections over TCP live; what is answered is
//! one path, so there is no router. Whoever comes without TLS is not understood: a reverse proxy
//! that ends TLS itself would tell us nothing of its clients but its own address.
//!
//! No header lets pages of other sites read a reply (no CORS): a browser that resolves by itself
//! needs none, and a page would read the names of a private network by it.

mod body;
mod connection;
mod freshness;
mod question;

pub(super) use connection::serve;
