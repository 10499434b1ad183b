//! How mistakes are shown: where they stand, and all of them.

use std::{fs, time::Duration};

use super::{error_of, load};
use crate::{
    app::config::{Config, Sources},
    model::Invalid,
};

/// Files, and exactly what is said of each.
const SHOWN: &[(&str, &str)] = &[
    (
        "version = 1\n[dns]\nudp_size = 70000\n",
        "error: `dns.udp_size`: `70000` is outside the limits of 512 to 4096
 --> rollcall.toml:3:12
  |
3 | udp_size = 70000
  |            ^^^^^",
    ),
    (
        "version = 1\n\n[server]\n\tdomain = \"in_ternal\" # ä\n",
        "error: `server.domain`: `in_ternal` has the character '_', which no host name has
 --> rollcall.toml:4:11
  |
4 | \tdomain = \"in_ternal\" # ä
  | \t         ^^^^^^^^^^^",
    ),
    (
        "version = 1\n[dns]\nlisten = [\"127.0.0.1:53\", \"localhost:53\"]\n",
        "error: `dns.listen[1]`: `localhost:53` is no address with a port, as in \
         `127.0.0.1:8600` or `[::1]:8600`
 --> rollcall.toml:3:27
  |
3 | listen = [\"127.0.0.1:53\", \"localhost:53\"]
  |                           ^^^^^^^^^^^^^^",
    ),
    (
        "version = 1\nhealth = { self_preservation = { windw = \"5s\" } }\n",
        "error: `windw` is not known in `[health.self_preservation]`; is `window` meant?
 --> rollcall.toml:2:34
  |
2 | health = { self_preservation = { windw = \"5s\" } }
  |                                  ^^^^^",
    ),
    (
        "version = 1\n[dns\n",
        "error: unclosed table, expected `]`
 --> rollcall.toml:2:5
  |
2 | [dns
  |     ^",
    ),
    (
        "[dns]\n",
        "error: `version` is missing; begin the file with `version = 1`
 --> rollcall.toml:1:1
  |
1 | [dns]
  | ^",
    ),
    (
        "version = 2\n[unheard_of]\n",
        "error: `version`: `2` is no version that is known; it is 1
 --> rollcall.toml:1:11
  |
1 | version = 2
  |           ^",
    ),
    (
        "",
        "error: `version` is missing; begin the file with `version = 1`
 --> rollcall.toml:1:1
  |
1 | 
  | ^",
    ),
];

#[test]
fn a_mistake_is_shown_in_its_line_with_a_caret() {
    for (text, expected) in SHOWN {
        assert_eq!(&error_of(text), expected, "{text}");
    }
}

#[test]
fn all_mistakes_are_said_in_the_order_of_the_file() {
    let error = error_of("version = 1\nx = 1\n[log]\nformat = 5\n[dns]\nudp_workers = -1\n");
    let places: Vec<_> = error.lines().filter(|line| line.contains("-->")).collect();
    assert_eq!(
        places,
        [" --> rollcall.toml:2:1", " --> rollcall.toml:4:10", " --> rollcall.toml:6:15"]
    );
}

#[test]
fn a_clash_is_pointed_at_in_the_item_that_it_is_about() {
    let upstreams = "upstreams = ['192.0.2.53',\n'127.0.0.1:8600']";
    for (text, said) in [
        (
            format!("[forward]\n{upstreams}"),
            "`forward.upstreams[1]`: `127.0.0.1:8600` is where this server itself",
        ),
        (
            format!("[[forward.zones]]\nsuffix = 'a'\n{upstreams}"),
            "`forward.zones[0]`: `127.0.0.1:8600` is where this server itself",
        ),
        (
            "[forward]\nzones = [{ suffix = 'a', upstreams = ['::1'] },\n\
             { suffix = 'service.internal', upstreams = ['::1'] }]"
                .to_owned(),
            "`forward.zones[1]`: nobody is asked for `service.internal`",
        ),
        (
            "[http]\nlisten = ['127.0.0.1:80',\n'127.0.0.1:8600']".to_owned(),
            "`http.listen`: `127.0.0.1:8600` is an address of `dns.listen` too",
        ),
    ] {
        let error = error_of(&format!("version = 1\n{text}\n"));
        assert!(error.contains(said), "{text}: {error}");
        let line = if text.starts_with("[[") { "2:1" } else { "4:1" };
        assert!(error.contains(&format!("\n --> rollcall.toml:{line}\n")), "{text}: {error}");
    }
}

#[test]
fn a_mistake_names_the_variable_or_the_flag() {
    let error = load("version = 1\n", |sources| {
        sources.environment = vec![("ROLLCALL_DNS_UDP_SIZE".into(), "big".into())];
        sources.flags = vec![("http.listen", vec!["8500".into()])];
    });
    assert_eq!(
        error.unwrap_err(),
        "error: `dns.udp_size`: `big` is not an integer
 --> environment variable ROLLCALL_DNS_UDP_SIZE

error: `http.listen[0]`: `8500` is no address with a port, as in `127.0.0.1:8600` or `[::1]:8600`
 --> flag --http"
    );
    let missing = Sources { file: Some("/nowhere/rollcall.toml".into()), ..Sources::default() };
    let error = Config::load(missing).unwrap_err().to_string();
    assert!(error.starts_with("error: `/nowhere/rollcall.toml` cannot be read: "), "{error}");
}

/// Whoever opened the pipe again would wait for somebody to write to it.
#[test]
fn a_mistake_in_what_came_through_a_pipe_is_said_at_once_if_without_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = pipe.clone();
    let writer = std::thread::spawn(move || fs::write(path, "version = 1\n"));
    let config = Config::load(Sources { file: Some(pipe), ..Sources::default() }).unwrap();
    writer.join().unwrap().unwrap();
    let (sender, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let invalid = Invalid::new("", "cookies", "is gone");
        sender.send(config.mistake("dns.cookie_secret_file", invalid).to_string())
    });
    let said = said.recv_timeout(Duration::from_secs(30)).expect("it waits for nothing");
    assert_eq!(said, "error: `dns.cookie_secret_file`: `cookies` is gone");
}
