//! Small tools without business words: the clock, durations as text, files read up to a limit,
//! what is said of JSON,
//! work done aside, panics caught quietly, places that are counted, tables with short names, until
//! when something is valid, and the timer wheel.

mod aside;
mod clock;
mod duration;
mod file;
mod json;
mod places;
#[cfg(test)]
mod port;
mod quiet;
mod slots;
#[cfg(test)]
mod smoke;
mod validity;
mod wheel;

pub use aside::{aside, outcome};
pub use clock::Clock;
pub use duration::{NoDuration, format_duration, parse_duration};
pub use file::{FileStamp, read_file, read_limited};
pub use json::{json_words, named_field};
pub use places::{Place, Places};
#[cfg(test)]
pub(crate) use port::free_address;
pub use quiet::catch_quietly;
pub use slots::{SlotId, Slots};
#[cfg(test)]
pub(crate) use smoke::smoke;
pub use validity::{Validity, show_time};
pub use wheel::Wheel;
