//! `rollcall check-config`: says whether a file is right, and where it is not.

use std::{io::Write, path::PathBuf};

use clap::Args;
use serde_json::json;

use crate::{
    app::{
        self,
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
    /// object with both; else the failure is the list of mistakes.
    pub(in crate::cli) fn run(
        self,
        output: &mut Output,
        mut errors: impl Write,
        clock: &Clock,
    ) -> Result<(), Failure> {
        let sources = Sources { file: Some(self.file.clone()), ..Sources::default() };
        let checked = app::check(&Config::load(sources)?, clock)?;
        if output.json {
            checked.outcome?;
            return Ok(output.json(&json!({ "ok": true, "warnings": checked.warnings }))?);
        }
        for warning in checked.warnings {
            writeln!(errors, "warning: {warning}")?;
        }
        checked.outcome?;
        Ok(output.line(&format!("{}: OK", self.file.display()))?)
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
        let buffer = Buffer::default();
        let run = |text: &str| {
            fs::write(&file, text).unwrap();
            let args = CheckConfigArgs { file: file.clone(), json: true };
            args.run(&mut buffer.output(true), &mut Vec::new(), &Clock::system())
        };
        run("version = 1\n[store]\nkind = \"embedded\"\nprefix = \"/x\"\n").unwrap();
        let told: Value = serde_json::from_str(&buffer.text()).unwrap();
        let unread = told["warnings"][0].as_str().unwrap();
        assert!(told["ok"] == true && unread.starts_with("`store.prefix`"), "{told}");
        let wrong = "version = 1\n[dns]\nudp_size = \"big\"\n  nothing = 1\n";
        let told: Value = serde_json::from_str(&run(wrong).unwrap_err().json().unwrap()).unwrap();
        assert_eq!((&told["exit_code"], &told["problem"]), (&json!(78), &Value::Null));
        let places = told["errors"].as_array().unwrap().iter().map(|error| {
            assert_eq!(error["file"], json!(file.to_str().unwrap()), "{error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with('`') && !message.contains('\n'), "{error}");
            (error["line"].as_u64(), error["column"].as_u64())
        });
        assert_eq!(places.collect::<Vec<_>>(), [(Some(3), Some(12)), (Some(4), Some(3))]);
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
