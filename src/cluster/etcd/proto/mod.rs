//! The messages of etcd's interface that are spoken here, with their fields' numbers.
//!
//! Written by hand after etcd's `rpc.proto` and `kv.proto`: some thirty messages that have not
//! changed their numbers since etcd 3.0, and cannot without breaking every client. Generating them
//! would take protoc, or a generator in the tree; that they are right is proven by the tests, which
//! make each call of a real etcd. Fields that nobody here asks for are left out; a reader of this
//! encoding skips what it does not know.
//!
//! Revisions, versions and sizes are `int64` there and never negative: on the wire that is the same
//! as `uint64`, which is what they are here. Leases and their times stay signed.

mod auth;
mod kv;
mod lease;
mod maintenance;
mod watch;

pub(super) use auth::{AuthenticateRequest, AuthenticateResponse};
#[cfg(test)]
pub(super) use kv::{CompactionRequest, CompactionResponse, PutResponse};
pub(super) use kv::{
    Compare, CompareResult, CompareTarget, CompareValue, DeleteRangeRequest, KeyValue, Op, OpReply,
    PutRequest, RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest,
    TxnResponse,
};
pub(super) use lease::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseRevokeRequest, LeaseRevokeResponse,
};
#[cfg(test)]
pub(super) use lease::{LeaseTimeToLiveRequest, LeaseTimeToLiveResponse};
pub(super) use maintenance::{
    AlarmMember, AlarmRequest, AlarmResponse, AlarmType, StatusRequest, StatusResponse,
};
pub(super) use watch::{
    Event, EventType, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchRequestUnion,
    WatchResponse,
};
