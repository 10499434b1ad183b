//! `rollcall check-config`: says whether a file is right, and where it is not.

use std::{io::Write, path::PathBuf};

use clap::Args;
use serde_json::json;

use crate::{
    app::{
        self, Checked,
        config::{Config, Sources},
    },
    cli::{exit::Failure, output::Output},
    util::Clock,
};

/// Which file.
#[derive(Debug, Args)]
pub(in crate::cli) struct CheckConfigArgs {
    /// The file
    file: PathBuf,
    /// Print JSON instead of text; a failure, too, on standard error
    #[arg(long)]
    pub json: bool,
}

// === impl CheckConfigArgs ===

impl CheckConfigArgs {
    /// Prints one line if the file is right, and to `errors` what is most likely not meant, or one
    /// object that says both; the failure is the list of mistakes.
    pub(in crate::cli) fn run(
        self,
        output: &mut Output,
        mut errors: impl Write,
        clock: &Clock,
    ) -> Result<(), Failure> {
        let (warnings, outcome) = match self.check(clock) {
            Ok(Checked { warnings, outcome }) => (warnings, outcome.map_err(Failure::from)),
            Err(failure) => (Vec::new(), Err(failure)),
        };
        if output.json {
            let told = output.json(&json!({ "ok": outcome.is_ok(), "warnings": warnings }));
            outcome?;
            return Ok(told?);
        }
        let told = warnings.iter().try_for_each(|it| writeln!(errors, "warning: {it}"));
        outcome?;
        told?;
        Ok(output.line(&format!("{}: OK", self.file.display()))?)
    }

    fn check(&self, clock: &Clock) -> Result<Checked, Failure> {
        let sources = Sources { file: Some(self.file.clone()), ..Sources::default() };
        Ok(app::check(&Config::load(sources)?, clock)?)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::{Value, json};

    use super::CheckConfigArgs;
    use crate::{cli::testing::Buffer, util::Clock};

    #[test]
    fn a_forward_zone_that_a_zone_file_has_whole_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("corp.zone"), "$TTL 60\n@ SOA ns m 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n")
            .unwrap();
        let buffer = Buffer::default();
        let check = |zones: &Path| {
            let text = format!(
                "version = 1\nserver.zones = \"{}\"\n[[forward.zones]]\n\
                 suffix = \"lab.corp\"\nupstreams = [\"192.0.2.53\"]\n",
                zones.display()
            );
            fs::write(at("rollcall.toml"), text).unwrap();
            let mut errors = Vec::new();
            let args = CheckConfigArgs { file: at("rollcall.toml"), json: false };
            args.run(&mut buffer.output(false), &mut errors, &Clock::system()).unwrap();
            String::from_utf8(errors).unwrap()
        };
        fs::create_dir(at("empty")).unwrap();
        assert_eq!(check(&at("empty")), "");
        let warning = "warning: `forward.zones`: nobody is asked for `lab.corp`, as the zone \
            `corp` in `corp.zone` has all its names; delegate it there by NS records, or leave it \
            out in one of the two\n";
        assert_eq!(check(folder.path()), warning);
    }

    #[test]
    fn the_password_of_etcd_is_looked_at_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let text = format!(
            "version = 1\n[store]\nkind = \"etcd\"\nendpoints = [\"http://127.0.0.1\"]\n\
             user = \"root\"\npassword_file = \"{}\"\n",
            at("password").display()
        );
        fs::write(at("rollcall.toml"), text).unwrap();
        let check = || {
            let args = CheckConfigArgs { file: at("rollcall.toml"), json: false };
            let buffer = Buffer::default();
            args.run(&mut buffer.output(false), &mut Vec::new(), &Clock::system())
        };
        let missing = check().unwrap_err();
        assert_eq!(missing.code(), 78);
        assert!(missing.message().unwrap().contains("`store.password_file`: "), "{missing}");
        fs::write(at("password"), "sesame\nsesame\n").unwrap();
        let wrong = check().unwrap_err().message().unwrap();
        assert!(wrong.contains("has more than one line") && !wrong.contains("sesame"), "{wrong}");
        fs::write(at("password"), "sesame\n").unwrap();
        check().unwrap();
    }

    #[test]
    fn the_certificates_for_etcd_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let text = format!(
            "version = 1\n[store]\nkind = \"etcd\"\nendpoints = [\"https://127.0.0.1\"]\n\
             ca_file = \"{}\"\n",
            at("ca.pem").display()
        );
        fs::write(at("rollcall.toml"), text).unwrap();
        fs::write(at("ca.pem"), "no certificate\n").unwrap();
        let args = CheckConfigArgs { file: at("rollcall.toml"), json: false };
        let buffer = Buffer::default();
        let refused = args.run(&mut buffer.output(false), &mut Vec::new(), &Clock::system());
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), 78);
        let text = refused.message().unwrap();
        assert!(text.starts_with("error: `store.ca_file`: `"), "{text}");
        assert!(text.contains("has no certificate") && text.contains("rollcall.toml:5:"), "{text}");
    }

    /// A script had to take a text apart.
    #[test]
    fn with_json_a_file_is_right_or_each_mistake_has_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rollcall.toml");
        let check = |file: &Path| {
            let (buffer, mut errors) = (Buffer::default(), Vec::new());
            let args = CheckConfigArgs { file: file.to_owned(), json: true };
            let outcome = args.run(&mut buffer.output(true), &mut errors, &Clock::system());
            let told: Value = serde_json::from_str(&buffer.text()).unwrap();
            assert_eq!((told["ok"] == true, &*errors), (outcome.is_ok(), &b""[..]), "{told}");
            let failure = outcome.err().map(|failure| failure.json().unwrap());
            let failure: Option<Value> = failure.map(|it| serde_json::from_str(&it).unwrap());
            (told["warnings"].clone(), failure)
        };
        let run = |text: &str| {
            fs::write(&file, text).unwrap();
            check(&file)
        };
        let unread = "version = 1\n[store]\nkind = \"embedded\"\nprefix = \"/x\"\n";
        let (warnings, failure) = run(unread);
        assert!(warnings[0].as_str().unwrap().starts_with("`store.prefix`"), "{warnings}");
        assert_eq!(failure, None);
        let both = run(&format!("{unread}[forward]\nresolv_conf = \"nope\"\n"));
        assert_eq!((both.0, both.1.unwrap()["errors"][0]["line"].as_u64()), (warnings, Some(6)));
        let (warnings, failure) = run("version = 1\n[dns]\nudp_size = \"big\"\n  nothing = 1\n");
        assert_eq!(warnings, json!([]));
        let told = failure.unwrap();
        assert_eq!((&told["exit_code"], &told["problem"]), (&json!(78), &Value::Null));
        let places = told["errors"].as_array().unwrap().iter().map(|error| {
            assert_eq!(error["file"], json!(file.to_str().unwrap()), "{error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with('`') && !message.contains('\n'), "{error}");
            (error["line"].as_u64(), error["column"].as_u64())
        });
        assert_eq!(places.collect::<Vec<_>>(), [(Some(3), Some(12)), (Some(4), Some(3))]);
        let missing = folder.path().join("missing.toml");
        let told = check(&missing).1.unwrap();
        let mistake = &told["errors"][0];
        assert_eq!((mistake["file"].as_str(), &mistake["line"]), (missing.to_str(), &Value::Null));
    }

    #[test]
    fn a_file_is_right_or_its_mistake_is_pointed_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rollcall.toml");
        fs::write(&file, include_str!("../../../examples/rollcall.toml")).unwrap();
        let buffer = Buffer::default();
        let run = || {
            let (args, clock) =
                (CheckConfigArgs { file: file.clone(), json: false }, Clock::system());
            args.run(&mut buffer.output(false), &mut Vec::new(), &clock)
        };
        run().unwrap();
        assert_eq!(buffer.text(), format!("{}: OK\n", file.display()));
        fs::write(&file, "version = 1\n[dns]\nudp_size = \"big\"\n").unwrap();
        let failure = run().unwrap_err();
        assert_eq!(failure.code(), 78);
        let text = failure.message().unwrap();
        assert!(text.ends_with("3 | udp_size = \"big\"\n  |            ^^^^^"), "{text}");
    }
}
