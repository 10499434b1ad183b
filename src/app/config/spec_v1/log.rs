//! The keys of `[log]`.

use super::{
    key::{Key, key},
    value::quote,
};
use crate::{
    app::config::{
        Config,
        given::{Given, Refusal},
        nearest::nearest,
    },
    telemetry::{self, FilterError, LogFormat},
};

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
    key("log.filter", set_log_filter, |c| quote(&c.log.filter)).flag("--log-filter").reloads(),
    key("log.format", set_log_format, |c| match c.log.format {
        LogFormat::Json => quote("json"),
        LogFormat::Text => quote("text"),
    })
    .flag("--log-format"),
];

fn set_log_filter(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    let filter = given.text()?;
    telemetry::parse_filter(filter).map_err(|error| {
        let meant = match &error {
            FilterError::UnknownLevel(word) | FilterError::UnknownWord(word) => {
                nearest(&word.to_ascii_lowercase(), telemetry::LEVELS.into_iter())
            }
            FilterError::Empty | FilterError::Syntax(_) => None,
        };
        let way_out = match meant {
            Some(meant) => format!("is `{meant}` meant?"),
            None => "write `info` or `info,rollcall::dns=debug`".to_owned(),
        };
        given.refuse(format!("is no filter ({error}); {way_out}"))
    })?;
    config.log.filter = filter.to_owned();
    Ok(())
}

fn set_log_format(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    config.log.format = match given.text()? {
        "json" => LogFormat::Json,
        "text" => LogFormat::Text,
        _ => return Err(given.refuse("is none of `text`, `json`")),
    };
    Ok(())
}
