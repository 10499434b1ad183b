//! The keys of `[policy]`, by which services without a policy of their own are answered.

use std::time::Duration;

use super::{
    key::{Key, key},
    value::{duration, quote, set, whole_seconds},
};
use crate::{
    app::config::{
        Config,
        given::{Given, Refusal},
    },
    model::{Policy, Share, WhenNoneHealthy, limit},
};

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
    key("policy.ttl", set_policy_ttl, |c| {
        duration(Duration::from_secs(c.policy.ttl_seconds.into()))
    })
    .reloads(),
    key(
        "policy.answer_limit",
        |c, v| {
            let range = 1..=limit::POLICY_ANSWER_LIMIT_MAX.into();
            set(&mut c.policy.answer_limit, v.integer(range))
        },
        |c| c.policy.answer_limit.to_string(),
    )
    .reloads(),
    key("policy.when_none_healthy", set_when_none_healthy, |c| {
        quote(c.policy.when_none_healthy.as_str())
    })
    .reloads(),
    key("policy.min_healthy", set_min_healthy, |c| format!("{:?}", c.policy.min_healthy.as_f64()))
        .reloads(),
];

fn set_policy_ttl(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    let ttl = whole_seconds(given, 0..=limit::POLICY_TTL_SECONDS_MAX.into())?;
    config.policy.ttl_seconds =
        u32::try_from(ttl.as_secs()).expect("it was just held to a limit that is one");
    Ok(())
}

fn set_when_none_healthy(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    let choice = WhenNoneHealthy::parse(given.text()?).ok_or_else(|| {
        let all = WhenNoneHealthy::ALL.map(|choice| format!("`{}`", choice.as_str())).join(", ");
        given.refuse(format!("is none of {all}"))
    })?;
    config.policy = Policy { when_none_healthy: choice, ..config.policy };
    Ok(())
}

fn set_min_healthy(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    let share = Share::new(given.share()?).map_err(|invalid| given.refused_as(invalid))?;
    config.policy.min_healthy = share;
    Ok(())
}
