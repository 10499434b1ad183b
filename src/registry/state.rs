//! stub
/// The authoritative state.
#[derive(Debug, Default)]
pub struct State;
