//! Small tools without business words: the clock and the timer wheel.

mod clock;
mod wheel;

pub use clock::Clock;
pub use wheel::Wheel;
