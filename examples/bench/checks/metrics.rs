//! What a server says of itself: `/metrics`, read twice.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::{Context, Result};

/// One reading.
#[derive(Debug)]
pub(crate) struct Scrape(BTreeMap<String, f64>);

// === impl Scrape ===

impl Scrape {
    /// Reads that of a server now, by where its HTTP interface is.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(crate) fn of(http: SocketAddr) -> Result<Self> {
        let url = format!("http://{http}/metrics");
        let mut reply = ureq::get(&url).call().with_context(|| format!("GET {url}"))?;
        let text = reply.body_mut().read_to_string()?;
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(Self(samples.collect()))
    }

    /// The sum of the samples of family `name` of which the labels have all of `parts`.
    pub(crate) fn sum(&self, name: &str, parts: &[&str]) -> f64 {
        let of = |sample: &&String| {
            sample.split('{').next() == Some(name) && parts.iter().all(|p| sample.contains(p))
        };
        self.0.iter().filter(|(sample, _)| of(sample)).map(|(_, value)| value).sum()
    }

    /// How late so many (`share`) of the checks that started since `earlier` were at the most, the
    /// first ones apart: the upper bound of a bucket, in seconds; NaN when none started.
    pub(super) fn lateness(&self, earlier: &Self, share: f64) -> f64 {
        let name = "rollcall_check_lateness_seconds_bucket{";
        let buckets = self.0.iter().filter(|(s, _)| s.starts_with(name) && s.contains("again"));
        let mut buckets: Vec<(f64, f64)> = buckets
            .filter_map(|(sample, count)| {
                let bound = sample.split("le=\"").nth(1)?.split('"').next()?;
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
                Some((bound, count - earlier.0.get(sample).copied().unwrap_or_default()))
            })
            .collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let Some(all) = buckets.last().map(|(_, count)| *count).filter(|all| *all > 0.0) else {
            return f64::NAN;
        };
        let reaches = |(_, count): &&(f64, f64)| *count >= all * share;
        buckets.iter().find(reaches).map_or(f64::NAN, |(bound, _)| *bound)
    }
}
