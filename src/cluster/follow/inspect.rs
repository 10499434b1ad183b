//! Looks at etcd itself now and then: its size, and what it holds to be wrong; and at the
//! certificates that are shown to it, before they are needed.

use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cluster::{
    common::{Common, FULL, FULL_MESSAGE},
    etcd::{Alarm, AlarmKind, EtcdError},
};

/// How often: as often as metrics are read.
const PERIOD: Duration = Duration::from_secs(15);

/// The name of the condition that says that members' data differ.
const CORRUPT: &str = "etcd alarm";

/// The name of the condition that says that files of certificates are of no use.
const CERTIFICATE: &str = "etcd certificate";

/// Looks after etcd until it is told to stop.
pub async fn inspect(common: Common, mut rng: fastrand::Rng, stop: CancellationToken) {
    let look = async {
        let mut told = String::new();
        loop {
            common.forget_twin();
            look_at_certificates(&common).await;
            look(&common, &mut told).await;
            // Servers that were started together do not ask together.
            sleep(PERIOD.mul_f64(0.8 + 0.4 * rng.f64())).await;
        }
    };
    stop.run_until_cancelled(look).await;
}

/// Connections that are there outlive the files, so that a mistake in them would show when etcd is
/// started again. Whoever reads them has the log told of it.
async fn look_at_certificates(common: &Common) {
    let fault = common.client.certificate_fault().await;
    common.metrics.certificates_loaded(fault.is_none());
    let now = i64::try_from(common.clock.wall_millis() / 1_000).unwrap_or(i64::MAX);
    let fault = fault.map(|fault| {
        format!("{fault}. What it had before stays in use; it is read again when it has changed")
    });
    match fault.or_else(|| common.client.certificate_problem(now)) {
        Some(problem) => {
            common.board.note(CERTIFICATE, problem);
        }
        None => common.board.clear(CERTIFICATE),
    }
}

/// What cannot be asked is told by those who follow and write, but for what needs more rights than
/// following and writing do.
async fn look(common: &Common, told: &mut String) {
    let mut refused = Vec::new();
    match common.client.status().await {
        Ok(member) => common.metrics.sized(member.db_size),
        Err(error) => refused.extend(refusal("size", &error)),
    }
    match common.client.alarms().await {
        Ok(alarms) => tell(common, &alarms),
        Err(error) => refused.extend(refusal("alarms", &error)),
    }
    let refused = refused.join(" and ");
    if refused != *told && !refused.is_empty() {
        info!("etcd does not tell this server's user {refused}, on which nothing else depends");
    }
    *told = refused;
}

/// Since 3.5.28 and 3.6.0 etcd tells its size to `root` alone, since 3.5.32 to all users.
fn refusal(of_what: &str, error: &EtcdError) -> Option<String> {
    matches!(error, EtcdError::Denied { .. }).then(|| format!("its {of_what}"))
}

fn tell(common: &Common, alarms: &[Alarm]) {
    let has = |kind| alarms.iter().any(|alarm| alarm.kind == kind);
    let pin = |is_on: bool, name: &str, message: &str| {
        if !is_on {
            if common.board.conditions().iter().any(|(pinned, _)| pinned == name) {
                info!(condition = name, "is over");
            }
            common.board.clear(name);
        } else if common.board.note(name, message) {
            warn!("{message}");
        }
    };
    pin(has(AlarmKind::NoSpace), FULL, FULL_MESSAGE);
    pin(
        has(AlarmKind::Corrupt),
        CORRUPT,
        "etcd's members have different data (alarm CORRUPT): see etcd's documentation on data \
         corruption",
    );
}
