//! Small tools without business words: the clock, durations as text, and the timer wheel.

mod clock;
mod duration;
mod wheel;

pub use clock::Clock;
pub use duration::{NoDuration, format_duration, parse_duration};
pub use wheel::Wheel;
