//! The other way: one row in the store, for whom it may concern.

use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::{outbox::Waiting, ways::Left};
use crate::{
    cluster::{
        Common,
        etcd::{EtcdError, LeaseId, Op, Txn},
        layout::Key,
    },
    model::{Status, Timestamp, limit},
    registry::{Beat, ServerId},
    store::text::{BeatText, BeatsText},
    util::aside,
};

/// Octets of heartbeats for one server that are looked at for one row, counted generously: 40,000
/// that say little.
pub(super) const LOOK_OCTETS_MAX: usize = 8 << 20;

/// Octets of a row, unpacked.
const ROW_OCTETS_MAX: usize = limit::BEATS_OCTETS_MAX;

/// Octets that are written each second in the mean, at the most.
const PACE: usize = 64 << 10;

/// Octets of a row: at that pace the next one comes after three seconds, and what waits longer is
/// worth nothing.
const VALUE_OCTETS_MAX: usize = 3 * PACE;

/// The least time between two rows.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a row stays that is not written again.
const LEASE: Duration = Duration::from_secs(60);

/// How long a write may take: what it has is worth nothing a second later.
const PATIENCE: Duration = Duration::from_secs(2);

/// Octets of what somebody says who is not well, in a row.
const WORDS_OCTETS_MAX: usize = 256;

/// The row of this server; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Relay {
    me: ServerId,
    common: Common,
    /// What the row is bound to, and since when.
    lease: Arc<Mutex<Option<(LeaseId, Instant)>>>,
}

/// How long after a row of so many octets the next one may come.
pub(super) fn pause_after(octets: usize) -> Duration {
    let octets = u32::try_from(octets).unwrap_or(u32::MAX);
    PAUSE.max(Duration::from_secs(1) * octets / u32::try_from(PACE).unwrap_or(u32::MAX))
}

// === impl Relay ===

impl Relay {
    pub(super) fn new(me: ServerId, common: Common) -> Self {
        Self { me, common, lease: Arc::default() }
    }

    /// Writes as many of a batch as there is room for in the place of what was there.
    ///
    /// # Errors
    /// When the store has not said that they are there: why.
    pub(super) async fn leave(&self, batch: &[Waiting]) -> Result<Left, String> {
        if let Some(why) = self.common.read_only() {
            return Err(why.to_string());
        }
        let (me, batch) = (self.me.clone(), batch.to_vec());
        // Packing takes milliseconds, which others need not wait for.
        let packed = aside(move || pack(&me, batch)).await;
        let (value, rest) = packed.ok_or("the server is stopping")?;
        let octets = value.len();
        match timeout(PATIENCE, self.put(value)).await {
            Ok(Ok(())) => Ok(Left { rest, octets }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer from etcd within {PATIENCE:?}")),
        }
    }

    async fn put(&self, value: Vec<u8>) -> Result<(), EtcdError> {
        let key = self.common.layout.key(&Key::Beats(self.me.clone()));
        let lease = self.lease().await?;
        let (key, value) = (Bytes::from(key), Bytes::from(value));
        let put = async |lease: LeaseId| {
            let (key, value) = (key.clone(), value.clone());
            let then = vec![Op::Put { key, value, lease: Some(lease) }];
            self.common.txn(Txn { then, ..Txn::default() }).await.map(drop)
        };
        match put(lease).await {
            Err(EtcdError::LeaseGone { .. }) => {
                *self.lease.lock() = None;
                put(self.lease().await?).await
            }
            result => result,
        }
    }

    /// A lease that lives for half of its time at least. Nobody renews it: a new one is taken, and
    /// the row goes with the last one.
    async fn lease(&self) -> Result<LeaseId, EtcdError> {
        let kept = *self.lease.lock();
        if let Some((lease, since)) = kept
            && since.elapsed() < LEASE / 2
        {
            return Ok(lease);
        }
        let since = Instant::now();
        let lease = self.common.client.grant(LEASE).await?.lease;
        *self.lease.lock() = Some((lease, since));
        Ok(lease)
    }
}

/// A batch as the other side's HTTP interface takes it; `apart` is this server's circle while it is
/// cut off, and `now` is when it is sent, if it is there in no time.
pub(super) fn json(
    me: &ServerId,
    apart: Option<u64>,
    (batch, now): (&[Waiting], Option<Timestamp>),
) -> Vec<u8> {
    let beats = batch.iter().map(|waiting| BeatText::of(&waiting.beat, now)).collect();
    let text = BeatsText { from: (&**me).into(), apart, beats };
    serde_json::to_vec(&text).expect("texts and numbers have a form in JSON")
}

/// As much of a batch as a row takes, and the rest. Who is not well goes first, then who has waited
/// for longest.
pub(super) fn pack(me: &ServerId, mut batch: Vec<Waiting>) -> (Vec<u8>, Vec<Waiting>) {
    let is_well = |waiting: &Waiting| waiting.beat.status.is_none_or(Status::is_up);
    batch.sort_by_key(|waiting| (is_well(waiting), waiting.turn));
    let mut rest = Vec::new();
    loop {
        let (value, unpacked) = packed(me, &batch);
        let packed = batch.len() * VALUE_OCTETS_MAX / value.len();
        let fitting = packed.min(batch.len() * ROW_OCTETS_MAX / unpacked);
        if fitting >= batch.len() || batch.len() < 2 {
            return (value, rest);
        }
        // A tenth less than what would fit if all were alike.
        rest.extend(batch.split_off((fitting * 9 / 10).max(1)));
    }
}

/// One after the other by name, because those that are alike pack well; of each instance in the
/// order in which they came.
fn packed(me: &ServerId, batch: &[Waiting]) -> (Vec<u8>, usize) {
    let mut batch: Vec<Waiting> = batch.to_vec();
    batch.iter_mut().for_each(|waiting| shorten(&mut waiting.beat));
    batch.sort_by(|one, other| (&one.beat.key, one.turn).cmp(&(&other.beat.key, other.turn)));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let json = json(me, None, (&batch, None));
    let written = encoder.write_all(&json).and_then(|()| encoder.finish());
    (written.expect("memory takes what is written"), json.len())
}

/// What somebody says who is well is left out, and stays as it is known.
fn shorten(beat: &mut Beat) {
    match &beat.output {
        Some(_) if beat.status == Some(Status::Passing) => beat.output = None,
        Some(output) if output.len() > WORDS_OCTETS_MAX => {
            beat.output = Some(output[..output.floor_char_boundary(WORDS_OCTETS_MAX)].into());
        }
        _ => {}
    }
}

/// Reads what another server has left. Those that cannot be read are left out.
///
/// # Errors
/// When it is nothing of the kind, or more than a server leaves.
pub(super) fn unpack(value: &[u8]) -> io::Result<Vec<Beat>> {
    let mut json = Vec::new();
    let most = u64::try_from(ROW_OCTETS_MAX).unwrap_or(u64::MAX);
    GzDecoder::new(value).take(most + 1).read_to_end(&mut json)?;
    if json.len() > ROW_OCTETS_MAX {
        let problem = format!("it has more than {ROW_OCTETS_MAX} octets, unpacked");
        return Err(io::Error::other(problem));
    }
    let text: BeatsText = serde_json::from_slice(&json)?;
    // None says how long ago it came: nobody knows how long the row was on its way.
    Ok(text.beats.into_iter().filter_map(|beat| beat.into_model(Timestamp(0))).collect())
}
