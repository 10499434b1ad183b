//! Small tools without business words: the clock, durations as text, files read up to a limit,
//! panics caught quietly, places that are counted, tables with short names, and the timer wheel.

mod clock;
mod duration;
mod file;
mod places;
mod quiet;
mod slots;
#[cfg(test)]
mod smoke;
mod wheel;

pub use clock::Clock;
pub use duration::{NoDuration, format_duration, parse_duration};
pub use file::{FileStamp, read_file, read_limited};
pub use places::{Place, Places};
pub use quiet::catch_quietly;
pub use slots::{SlotId, Slots};
#[cfg(test)]
pub(crate) use smoke::smoke;
pub use wheel::Wheel;
