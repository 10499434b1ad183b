//! The password of etcd's user, as its file has it when it is wanted.
//!
//! `etcdctl user passwd` ends all tokens of a user, and the next login takes the new password: so
//! the file is read at each login, as those of certificates are with each connection.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

use super::EtcdUser;
use crate::util::{aside, read_file};

/// Octets of a password's file: a password, or a token that some machine has made.
const PASSWORD_OCTETS_MAX: usize = 4 << 10;

/// A password that may change.
pub(super) struct Password {
    file: Option<PathBuf>,
    held: Mutex<Held>,
}

struct Held {
    password: String,
    /// Why the file could not be used last, of which was told.
    fault: Option<String>,
}

// === impl Password ===

impl Password {
    pub(super) fn of(user: &EtcdUser) -> Self {
        let held = Held { password: user.password.clone(), fault: None };
        Self { file: user.password_file.clone(), held: Mutex::new(held) }
    }

    /// What the file has now, or had when it was last right.
    pub(super) async fn now(&self) -> String {
        let Some(file) = self.file.clone() else { return self.held.lock().password.clone() };
        let read = aside(move || read_password(&file)).await;
        let mut held = self.held.lock();
        match read {
            Some(Ok(password)) => {
                if password != held.password {
                    tracing::info!("read another password for etcd from its file");
                    held.password = password;
                }
                held.fault = None;
            }
            Some(Err(fault)) => {
                if held.fault.as_ref() != Some(&fault) {
                    let file = self.file.as_deref().unwrap_or(Path::new("")).display();
                    tracing::warn!(
                        "`store.password_file`: `{file}` {fault}; the password before stays"
                    );
                }
                held.fault = Some(fault);
            }
            None => tracing::debug!("the server is stopping"),
        }
        held.password.clone()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The one line of a file that has a password and nothing else.
///
/// # Errors
/// When it cannot be read, or has something else; in words that show nothing of it.
pub fn read_password(file: &Path) -> Result<String, String> {
    let octets =
        read_file(file, PASSWORD_OCTETS_MAX).map_err(|error| format!("cannot be read: {error}"))?;
    let text = String::from_utf8(octets).map_err(|_| "is not UTF-8")?;
    // Editors and `echo` end the line; blanks may be meant.
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err("is empty; it is to have the password and nothing else".into()),
        _ if line.contains(['\n', '\r', '\0']) => {
            Err("has more than one line; it is to have the password alone".into())
        }
        _ => Ok(line.to_owned()),
    }
}
