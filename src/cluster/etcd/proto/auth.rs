//! `etcdserverpb.Auth`: a token for a name and a password.

/// Who one is.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::cluster::etcd) struct AuthenticateRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub password: String,
}

/// The token, which goes with each call as the metadata `token`.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::cluster::etcd) struct AuthenticateResponse {
    #[prost(string, tag = "2")]
    pub token: String,
}
