//! The password of etcd's user, in a file of its own: a configuration is shown, copied and kept in
//! places where a password has no business.

use std::fmt;

use super::{Config, ConfigError};
use crate::{model::Invalid, util::read_file};

/// Octets of such a file: a password, or a token that somebody's machine has made.
const FILE_OCTETS_MAX: usize = 4 << 10;

/// A password, which no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

// === impl Password ===

impl Password {
    /// What etcd is told.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

// === impl Config ===

impl Config {
    /// The user of etcd and the password, read now; `None` where there is no user.
    ///
    /// # Errors
    /// When the file cannot be read, or is not one line with something in it. The message names the
    /// file and shows nothing of what is in it.
    pub fn etcd_user(&self) -> Result<Option<(&str, Password)>, ConfigError> {
        let etcd = &self.store.etcd;
        let (Some(user), Some(file)) = (&etcd.user, &etcd.password_file) else { return Ok(None) };
        let refused = |problem: String| {
            let invalid = Invalid::new("", file.display(), problem);
            self.mistake("store.password_file", invalid)
        };
        let octets = read_file(file, FILE_OCTETS_MAX)
            .map_err(|error| refused(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(octets).map_err(|_| refused("is not UTF-8".into()))?;
        // Editors and `echo` end the line; blanks may be meant.
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line {
            "" => Err(refused("is empty; it is to have the password and nothing else".into())),
            _ if line.contains(['\n', '\r', '\0']) => {
                Err(refused("has more than one line; it is to have the password alone".into()))
            }
            _ => Ok(Some((user, Password(line.to_owned())))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::app::config::Config;

    #[test]
    fn a_password_is_the_line_of_its_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let mut config = Config::default();
        assert_eq!(config.etcd_user(), Ok(None));
        config.store.etcd.user = Some("root".into());
        config.store.etcd.password_file = Some(file.clone());
        let said = config.etcd_user().unwrap_err().to_string();
        assert!(said.starts_with("error: `store.password_file`: `"), "{said}");
        assert!(said.contains("cannot be read: No such file"), "{said}");
        for (text, password) in [
            ("sesame", Some("sesame")),
            ("sesame\n", Some("sesame")),
            (" ses ame\r\n", Some(" ses ame")),
            ("", None),
            ("\n", None),
            ("sesame\nsesame\n", None),
        ] {
            fs::write(&file, text).unwrap();
            let read = config.etcd_user();
            assert!(!format!("{read:?} {config:?}").contains("sesame"), "{text:?}");
            let read = read.ok().flatten();
            let read = read.as_ref().map(|(user, password)| (*user, password.reveal()));
            assert_eq!(read, password.map(|password| ("root", password)), "{text:?}");
        }
    }
}
