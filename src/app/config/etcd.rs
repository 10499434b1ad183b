//! What the client of etcd is made of: the keys of `[store]`, and the password from a file of its
//! own. A configuration is shown, copied and kept in places where a password has no business.

use super::{Config, ConfigError, EtcdSettings};
use crate::{
    cluster::etcd::{EtcdError, EtcdOptions, EtcdTls, EtcdUser, read_password},
    model::Invalid,
};

// === impl Config ===

impl Config {
    /// How etcd is reached, with the password as its file has it now, and the file, which is read
    /// again at each login. `None` with the embedded store. `begin_with` is by chance, so that many
    /// servers do not all ask the same member.
    ///
    /// # Errors
    /// When that file cannot be read, or has something else than one line. The message names it and
    /// shows nothing of what is in it.
    pub fn etcd_options(&self, begin_with: usize) -> Result<Option<EtcdOptions>, ConfigError> {
        if !self.is_shared() {
            return Ok(None);
        }
        let EtcdSettings { endpoints, user, password_file, request_timeout, .. } = &self.store.etcd;
        let user = match (user, password_file) {
            (Some(name), Some(file)) => {
                let password = read_password(file).map_err(|problem| {
                    let invalid = Invalid::new("", file.display(), problem);
                    self.mistake("store.password_file", invalid)
                })?;
                let password_file = Some(file.clone());
                Some(EtcdUser { name: name.clone(), password, password_file })
            }
            _ => None,
        };
        Ok(Some(EtcdOptions {
            tls: self.store.etcd.tls(),
            user,
            deadline: *request_timeout,
            begin_with,
            ..EtcdOptions::new(endpoints.iter().map(ToString::to_string))
        }))
    }

    /// The refusal of what the client of etcd was made of, with the place of its key.
    pub fn etcd_mistake(&self, error: &EtcdError) -> ConfigError {
        let (path, problem) = match error {
            EtcdError::Options { field, problem } => (*field, problem.clone()),
            other => ("store.endpoints", other.to_string()),
        };
        self.mistake(path, Invalid::new("", "", problem))
    }
}

impl EtcdSettings {
    fn tls(&self) -> EtcdTls {
        EtcdTls {
            ca_file: self.ca_file.clone(),
            certificate_file: self.certificate.clone(),
            key_file: self.key.clone(),
            server_name: self.server_name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use crate::{
        app::config::{Config, EtcdEndpoint, EtcdSettings, StoreKind},
        cluster::etcd::Client,
    };

    fn shared() -> Config {
        let mut config = Config::default();
        config.store.kind = StoreKind::Etcd;
        let host = "fd00::1".to_owned();
        config.store.etcd.endpoints = vec![EtcdEndpoint { is_encrypted: false, host, port: 4001 }];
        config
    }

    #[test]
    fn the_client_gets_what_the_keys_say() {
        assert!(Config::default().etcd_options(0).unwrap().is_none());
        let mut config = shared();
        config.store.etcd.request_timeout = Duration::from_secs(7);
        config.store.etcd.certificate = Some("c".into());
        config.store.etcd.key = Some("k".into());
        let options = config.etcd_options(5).unwrap().unwrap();
        assert_eq!(options.endpoints, ["http://[fd00::1]:4001"]);
        assert_eq!((options.deadline, options.begin_with), (Duration::from_secs(7), 5));
        assert_eq!(options.tls.certificate_file, Some("c".into()));
        assert_eq!(options.tls.key_file, Some("k".into()));
        assert!(options.user.is_none() && options.tls.ca_file.is_none());
        assert!(Client::new(shared().etcd_options(0).unwrap().unwrap()).is_ok());
    }

    #[test]
    fn a_password_is_the_line_of_its_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let mut config = shared();
        config.store.etcd.user = Some("root".into());
        config.store.etcd.password_file = Some(file.clone());
        let said = config.etcd_options(0).unwrap_err().to_string();
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
            let read = config.etcd_options(0);
            assert!(!format!("{read:?} {config:?}").contains("sesame"), "{text:?}");
            let user = read.ok().flatten().and_then(|options| options.user);
            let user = user.map(|user| (user.name, user.password));
            let expected = password.map(|password| ("root".to_owned(), password.to_owned()));
            assert_eq!(user, expected, "{text:?}");
        }
    }

    #[test]
    fn what_the_client_refuses_is_said_of_its_key() {
        type Touch = fn(&mut EtcdSettings);
        for (key, touch) in [
            ("store.ca_file", (|etcd| etcd.ca_file = Some("/none".into())) as Touch),
            ("store.certificate", |etcd| {
                (etcd.certificate, etcd.key) = (Some("/none".into()), Some("/none".into()));
            }),
            ("store.certificate", |etcd| etcd.key = Some("/none".into())),
            ("store.server_name", |etcd| etcd.server_name = Some("a b".into())),
            ("store.endpoints", |etcd| etcd.endpoints.clear()),
        ] {
            let mut config = shared();
            config.store.etcd.endpoints[0].is_encrypted = true;
            touch(&mut config.store.etcd);
            let refused = Client::new(config.etcd_options(0).unwrap().unwrap()).unwrap_err();
            let said = config.etcd_mistake(&refused).to_string();
            assert!(said.starts_with(&format!("error: `{key}`: ")), "{said}");
        }
    }
}
