//! Waiting for a watch that may never speak again.
//!
//! A member of etcd that is paused, or cut off without a word, keeps its connections open and says
//! nothing; so does one whose watch has nothing to tell. The difference is made by asking: whoever
//! does not answer is left.

use tokio::time::{Duration, Instant, timeout};

use crate::cluster::{
    common::LastWord,
    etcd::{EtcdError, WatchStream, Watched},
};

/// How long silence is taken for peace.
const IDLE: Duration = Duration::from_secs(5);

/// How long the answer to a question for progress may take: as long as a commit in a bad hour. A
/// member that takes longer is a bad one to follow.
const ANSWER: Duration = Duration::from_secs(5);

/// How long an answer, or the registry, may take until what comes then is not taken for new:
/// heartbeats that others have left would renew leases as of now.
const LATE: Duration = Duration::from_secs(1);

/// Why nothing more is heard of a watch.
#[derive(Debug)]
pub(super) enum Deaf {
    /// It was asked, and has not answered.
    Silent,
    /// The stream has ended.
    Failed(EtcdError),
}

/// How patient to be with a watch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) idle: Duration,
    pub(super) answer: Duration,
    pub(super) late: Duration,
}

/// What was heard.
pub(super) struct Word {
    pub(super) watched: Watched,
    /// Whether it was waited for in vain for a while: it may be from then.
    pub(super) is_late: bool,
}

// === impl Patience ===

impl Default for Patience {
    fn default() -> Self {
        Self { idle: IDLE, answer: ANSWER, late: LATE }
    }
}

impl Patience {
    /// The next word of a watch.
    ///
    /// # Errors
    /// When there will be none.
    pub(super) async fn hear(
        self,
        watch: &mut WatchStream,
        heard: &LastWord,
        rng: &mut fastrand::Rng,
    ) -> Result<Word, Deaf> {
        // Servers that began to watch together do not ask together.
        let idle = self.idle.mul_f64(0.8 + 0.4 * rng.f64());
        let (word, is_late) = match timeout(idle, watch.next()).await {
            Ok(word) => (word, false),
            Err(_) => {
                let asked = Instant::now();
                watch.request_progress();
                let word = timeout(self.answer, watch.next()).await.map_err(|_| Deaf::Silent)?;
                (word, asked.elapsed() > self.late)
            }
        };
        // What has failed is no word of the store.
        if word.is_ok() {
            heard.touch();
        }
        word.map(|watched| Word { watched, is_late }).map_err(Deaf::Failed)
    }
}
