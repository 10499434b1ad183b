//! Go's durations: text with units (`10s`, `1m30s`, `1.5h`, `-1s`) or a number of nanoseconds.
//!
//! Not [`crate::util::parse_duration`]: that one refuses signs and fractions like `.5s`, accepts
//! blanks, and writes `1h` where Go writes `1h0m0s`, which clients compare as text.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

/// Signed nanoseconds in 64 bits: up to 292 years.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::http) struct GoDuration(i64);

/// The most digits after the point that say something: nanoseconds of an hour are 13 digits.
const FRACTION_DIGITS_MAX: usize = 18;

// === impl GoDuration ===

impl GoDuration {
    /// Reads text with units.
    ///
    /// # Errors
    /// With the text of Go's `time.ParseDuration`.
    pub(in crate::http) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("time: invalid duration \"{text}\"");
        let negative = text.starts_with('-');
        let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0_u64;
        while !rest.is_empty() {
            let (number, unit, after) = part(rest).ok_or_else(invalid)?;
            if unit.is_empty() {
                return Err(format!("time: missing unit in duration \"{text}\""));
            }
            let scale = nanos_of(unit)
                .ok_or_else(|| format!("time: unknown unit \"{unit}\" in duration \"{text}\""))?;
            let nanos = number.nanos(scale).ok_or_else(invalid)?;
            total = total.checked_add(nanos).ok_or_else(invalid)?;
            rest = after;
        }
        let nanos =
            if negative { 0_i64.checked_sub_unsigned(total) } else { total.try_into().ok() };
        nanos.map(Self).ok_or_else(invalid)
    }

    /// Reads text or a number. What is neither is left out, as Go's decoders of checks do.
    ///
    /// # Errors
    /// With the text of Go's `time.ParseDuration`.
    pub(in crate::http) fn from_json(value: &Value) -> Result<Option<Self>, String> {
        match value {
            Value::String(text) => Self::parse(text).map(Some),
            Value::Number(number) => {
                let too_large = || format!("time: invalid duration \"{number}\"");
                match (number.as_i64(), number.as_f64()) {
                    (Some(nanos), _) => Ok(Some(Self(nanos))),
                    #[expect(clippy::cast_possible_truncation, reason = "Go cuts fractions off")]
                    (None, Some(nanos)) if nanos.abs() < 9.0e18 => Ok(Some(Self(nanos as i64))),
                    _ => Err(too_large()),
                }
            }
            _ => Ok(None),
        }
    }

    /// Nanoseconds.
    pub(in crate::http) const fn nanos(self) -> i64 {
        self.0
    }

    /// Whether it is above zero.
    pub(in crate::http) const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Itself where it is above zero; to Consul zero and less mean "not set".
    pub(in crate::http) fn set(self) -> Option<Duration> {
        u64::try_from(self.0).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }
}

impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECOND: u64 = 1_000_000_000;
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}µs", Decimal(nanos, 1_000)),
            1_000_000..SECOND => write!(f, "{}ms", Decimal(nanos, 1_000_000)),
            _ => {
                let (hours, minutes) = (nanos / SECOND / 3_600, nanos / SECOND / 60 % 60);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write!(f, "{}s", Decimal(nanos % (60 * SECOND), SECOND))
            }
        }
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map(Option::unwrap_or_default).map_err(D::Error::custom)
    }
}

/// A number over a power of ten, without zeros at its end.
struct Decimal(u64, u64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, unit) = self;
        write!(f, "{}", number / unit)?;
        let fraction = number % unit;
        if fraction == 0 {
            return Ok(());
        }
        let digits = unit.ilog10() as usize;
        let fraction = format!("{fraction:0digits$}");
        write!(f, ".{}", fraction.trim_end_matches('0'))
    }
}

/// A number as it is written.
struct Number<'t> {
    whole: &'t str,
    fraction: &'t str,
}

impl Number<'_> {
    /// Its nanoseconds when one has `scale`; nothing when they do not fit.
    fn nanos(&self, scale: u64) -> Option<u64> {
        let whole = if self.whole.is_empty() { 0 } else { self.whole.parse::<u64>().ok()? };
        let whole = whole.checked_mul(scale)?;
        let kept = &self.fraction[..self.fraction.len().min(FRACTION_DIGITS_MAX)];
        let digits = u32::try_from(kept.len()).ok()?;
        let number: u128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
        let part = number * u128::from(scale) / 10_u128.pow(digits);
        whole.checked_add(u64::try_from(part).ok()?)
    }
}

/// The first number of `text`, its unit, and the rest; nothing when it begins with no number.
fn part(text: &str) -> Option<(Number<'_>, &str, &str)> {
    let (whole, rest) = split(text, |c| !c.is_ascii_digit());
    let (fraction, rest) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => split(rest, |c| !c.is_ascii_digit()),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (unit, rest) = split(rest, |c| c == '.' || c.is_ascii_digit());
    Some((Number { whole, fraction }, unit, rest))
}

fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn nanos_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000, // the micro sign and the Greek letter
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::GoDuration;

    #[test]
    fn text_is_read_as_go_reads_it() {
        for (text, nanos) in [
            ("10s", 10_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("15.0s", 15_000_000_000),
            ("0.001s", 1_000_000),
            ("100ms", 100_000_000),
            ("120000ms", 120_000_000_000),
            ("1.s", 1_000_000_000),
            (".5s", 500_000_000),
            ("+5s", 5_000_000_000),
            ("-1s", -1_000_000_000),
            ("1µs", 1_000),
            ("1μs", 1_000),
            ("1us", 1_000),
            ("0", 0),
            ("-0", 0),
            ("0.9ns", 0),
            ("1.0000000000000000000001s", 1_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("2562047h47m16.854775807s", i64::MAX),
        ] {
            assert_eq!(GoDuration::parse(text), Ok(GoDuration(nanos)), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused_in_gos_words() {
        for (text, refusal) in [
            ("", r#"time: invalid duration """#),
            ("abc", r#"time: invalid duration "abc""#),
            ("s", r#"time: invalid duration "s""#),
            (".", r#"time: invalid duration ".""#),
            ("-", r#"time: invalid duration "-""#),
            ("é", r#"time: invalid duration "é""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("2562048h", r#"time: invalid duration "2562048h""#),
            ("10", r#"time: missing unit in duration "10""#),
            ("1.5", r#"time: missing unit in duration "1.5""#),
            ("1h5", r#"time: missing unit in duration "1h5""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("1 s", r#"time: unknown unit " s" in duration "1 s""#),
            ("1e3s", r#"time: unknown unit "e" in duration "1e3s""#),
            ("1m-5s", r#"time: unknown unit "m-" in duration "1m-5s""#),
        ] {
            assert_eq!(GoDuration::parse(text), Err(refusal.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_number_is_nanoseconds_and_anything_else_is_left_out() {
        let read = |value| GoDuration::from_json(&value);
        assert_eq!(read(json!(10_000_000_000_i64)), Ok(Some(GoDuration(10_000_000_000))));
        assert_eq!(read(json!(-5)), Ok(Some(GoDuration(-5))));
        assert_eq!(read(json!(1.5)), Ok(Some(GoDuration(1))));
        assert_eq!(read(json!("10s")), Ok(Some(GoDuration(10_000_000_000))));
        for value in [json!(null), json!(true), json!([]), json!({})] {
            assert_eq!(read(value), Ok(None));
        }
        assert!(read(json!(1e30)).is_err());
        assert!(read(json!(u64::MAX)).is_err());
    }

    #[test]
    fn it_is_written_as_go_writes_it() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (100_000_000, "100ms"),
            (1_500_000_000, "1.5s"),
            (10_000_000_000, "10s"),
            (90_000_000_000, "1m30s"),
            (60_000_000_000, "1m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (86_400_000_000_000, "24h0m0s"),
            (-90_000_000_000, "-1m30s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(GoDuration(nanos).to_string(), text);
        }
    }

    #[test]
    fn zero_and_less_are_not_set() {
        assert_eq!(GoDuration(0).set(), None);
        assert_eq!(GoDuration(-1).set(), None);
        assert_eq!(GoDuration(1).set(), Some(Duration::from_nanos(1)));
        assert_eq!(GoDuration::from(Duration::MAX), GoDuration(i64::MAX));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in any::<i64>()) {
            let duration = GoDuration(nanos);
            prop_assert_eq!(GoDuration::parse(&duration.to_string()), Ok(duration));
            let json = serde_json::to_string(&duration).unwrap();
            prop_assert_eq!(serde_json::from_str::<GoDuration>(&json).unwrap(), duration);
        }

        #[test]
        fn any_text_is_read_or_refused(text in r"[-+]?([0-9.]{0,25}[a-zµ ]{0,3}){0,4}") {
            if let Err(refusal) = GoDuration::parse(&text) {
                prop_assert!(refusal.starts_with("time: "), "{}", refusal);
            }
        }
    }
}
