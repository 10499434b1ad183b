//! Looks at a resolv.conf that are not waited for longer than anybody has patience.
//!
//! A look ends when whatever the file lies on answers: never, on a file system whose server is
//! gone. So each has a thread of its own, and one that was given up keeps others away from its path
//! until it ends: there is one for each path, but for those that begin together, and paths are as
//! many as somebody has configured.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
    time::Duration,
};

use parking_lot::Mutex;

use super::resolv_conf::{self, Look, Unread};
use crate::util::{FileStamp, format_duration};

/// How long somebody waits for the resolv.conf: a start that is not ready before, and a reload,
/// which other signals wait for. No file that can be read takes a hundredth of it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// The looks that were given up and may be under way, and where what they find would come.
#[derive(Debug, Default)]
pub(super) struct LateLooks(Mutex<Vec<(PathBuf, Receiver<Found>)>>);

/// The file, if it is another one than was known.
type Found = Option<Look>;

// === impl LateLooks ===

impl LateLooks {
    /// As [`resolv_conf::look`], but for so long at the most.
    pub(super) fn look(&self, path: &Path, known: Option<FileStamp>) -> Found {
        let file = path.to_owned();
        let look = move || resolv_conf::look(&file, known);
        self.within(LOOK_TIMEOUT, path, look).unwrap_or_else(|problem| {
            let problem = format!("cannot read `{}`: {problem}", path.display());
            let servers = Err(Unread { problem, may_pass: true });
            Some(Look { stamp: FileStamp::default(), servers })
        })
    }

    /// Has a look at `path` done, unless an earlier one is still under way that was given up.
    fn within(
        &self,
        limit: Duration,
        path: &Path,
        look: impl FnOnce() -> Found + Send + 'static,
    ) -> Result<Found, String> {
        let late = || format!("there was no answer within {}", format_duration(limit));
        {
            let mut given_up = self.0.lock();
            given_up.retain(|(_, to_find)| is_under_way(to_find));
            if given_up.iter().any(|(of, _)| of == path) {
                return Err(late());
            }
        }
        let (found, to_find) = sync_channel(1);
        let look = move || {
            // Who waits no longer asks again.
            let _late = found.send(look());
        };
        let thread = thread::Builder::new().name("resolv.conf".into()).spawn(look);
        thread.map_err(|error| error.to_string())?;
        to_find.recv_timeout(limit).map_err(|_| {
            self.0.lock().push((path.to_owned(), to_find));
            late()
        })
    }
}

/// Whether nothing has come yet, and something still may.
fn is_under_way(to_find: &Receiver<Found>) -> bool {
    matches!(to_find.try_recv(), Err(TryRecvError::Empty))
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        sync::mpsc::{Receiver, channel},
        time::Duration,
    };

    use super::LateLooks;

    #[test]
    fn a_file_that_does_not_answer_is_waited_for_once_and_not_for_long() {
        let (looks, long) = (LateLooks::default(), Duration::from_secs(60));
        let (release, hung): (_, Receiver<()>) = channel();
        let (gone, elsewhere) = (Path::new("/gone"), Path::new("/elsewhere"));
        let look = move || hung.recv().ok().and(None);
        let look = looks.within(Duration::from_millis(1), gone, look);
        assert_eq!(look.unwrap_err(), "there was no answer within 1ms");
        // Nobody waits for that one again, or for a second one behind it.
        let again = looks.within(long, gone, || panic!("there is one under way"));
        assert_eq!(again.unwrap_err(), "there was no answer within 1m");
        assert!(looks.within(long, elsewhere, || None).is_ok());
        drop(release);
        // Once it answers, others may look.
        while looks.within(long, gone, || None).is_err() {
            std::thread::yield_now();
        }
    }
}
