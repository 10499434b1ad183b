//! What the server says of itself: logs, metrics, and the board of conditions behind `/ready`.

mod board;
mod classic;
mod filter;
mod log;
mod metrics;
mod process;

pub use board::{Board, Condition};
pub use filter::{FilterError, LEVELS, parse_filter};
pub use log::{FilterHandle, LogFormat, Logging, init_logging};
pub use metrics::{Metrics, SharedRegistry};
