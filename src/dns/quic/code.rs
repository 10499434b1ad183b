//! Why a connection or a stream is ended (RFC 9250 §4.3).

use quinn::VarInt;

/// Nothing is wrong: the connection is idle, or the server stops.
pub(super) const NO_ERROR: VarInt = VarInt::from_u32(0);
/// The reply could not be made.
pub(super) const INTERNAL_ERROR: VarInt = VarInt::from_u32(1);
/// The client does not keep to the protocol.
pub(super) const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);
/// More waits on the connection than may.
pub(super) const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(4);
/// The client takes too long with one question or its reply, or has cancelled it.
pub(super) const UNSPECIFIED_ERROR: VarInt = VarInt::from_u32(5);
