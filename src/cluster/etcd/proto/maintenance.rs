//! `etcdserverpb.Maintenance`: what a member says of itself, and of what is wrong.

use super::ResponseHeader;

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::cluster::etcd) struct StatusRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::cluster::etcd) struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(uint64, tag = "3")]
    pub db_size: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::cluster::etcd) struct AlarmRequest {
    /// 0 to list, 1 to raise, 2 to clear.
    #[prost(int32, tag = "1")]
    pub action: i32,
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
    #[prost(enumeration = "AlarmType", tag = "3")]
    pub alarm: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::cluster::etcd) struct AlarmResponse {
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    #[prost(message, repeated, tag = "2")]
    pub alarms: Vec<AlarmMember>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::cluster::etcd) struct AlarmMember {
    #[prost(uint64, tag = "1")]
    pub member_id: u64,
    #[prost(enumeration = "AlarmType", tag = "2")]
    pub alarm: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(in crate::cluster::etcd) enum AlarmType {
    None = 0,
    NoSpace = 1,
    Corrupt = 2,
}
