//! The house rules, executed: which layer may import which, where foreign types may appear, and
//! how long a file, a function and a line may be.
//!
//! Rust sources are read as token streams, not as text: a brace in a string, a raw string or a
//! comment cannot fool the counting, and a path is found wherever it stands, in a `use`, in an
//! expression or inside a macro. Each violation says where it is, which rule it breaks and what to
//! do instead. The rules prove on bad input that they can fail (`mod on_bad_input`, below).

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Who may import whom. A module of `src/` that is missing here is itself a violation.
const LAYERS: &[(&str, &[&str])] = &[
    ("util", &[]),
    ("telemetry", &["util"]),
    ("model", &["util"]),
    ("registry", &["model", "util", "telemetry"]),
    ("store", &["registry", "model", "util", "telemetry"]),
    ("cluster", &["registry", "store", "model", "util", "telemetry"]),
    ("dns", &["registry", "store", "model", "util", "telemetry"]),
    ("http", &["registry", "store", "model", "util", "telemetry"]),
    ("health", &["registry", "store", "model", "util", "telemetry"]),
    (
        "app",
        &["dns", "http", "health", "cluster", "registry", "store", "model", "util", "telemetry"],
    ),
    (
        "cli",
        &[
            "app",
            "dns",
            "http",
            "health",
            "cluster",
            "registry",
            "store",
            "model",
            "util",
            "telemetry",
        ],
    ),
];

/// Crates whose types stay behind one door, so that replacing the crate touches one folder.
const HOMES: &[(&str, &str)] =
    &[("hickory", "dns"), ("axum", "http"), ("redb", "store"), ("prost", "cluster/etcd")];

/// What the pure layers do without, by the beginning of the crate's name.
const BARRED: &[(&str, &[&str])] =
    &[("model", &["serde", "tokio", "tracing"]), ("registry", &["serde"])];

/// The one file of the product that may be unsafe.
const UNSAFE_HOME: &str = "src/dns/udp/sys.rs";

/// Those that are no part of it: the benchmark's bare responder and flood, a counting allocator.
const UNSAFE_OUTSIDE: &[&str] =
    &["examples/bench/flood.rs", "examples/bench/floor.rs", "tests/alloc.rs"];

/// Tables of contents whose content is not only modules: each route is an entry.
const TABLES: &[&str] = &["src/http/routes/mod.rs"];

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Everything at the root that is a folder and not hidden.
const FOLDERS: &[&str] = &["docker", "examples", "src", "tests", "zones"];

/// A broken rule, with the place and the way out.
struct Violation {
    file: String,
    line: usize,
    rule: &'static str,
    instead: String,
}

/// One Rust source file and what was found in it so far.
struct Source<'a> {
    /// From the root of the package, with `/`.
    file: &'a str,
    /// Its place below `src/`: `["dns", "udp", "worker"]`; empty for the roots and outside `src/`.
    module: Vec<String>,
    found: Vec<Violation>,
}

/// What surrounds a token.
#[derive(Clone, Copy)]
struct Place {
    /// Only compiled for tests.
    in_test: bool,
    /// Directly inside `#[…]`.
    in_attribute: bool,
    /// How many `super` lead from here to the crate's root.
    depth: usize,
}

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).expect("the file is UTF-8 text");
    let files = rust_files(root);
    assert!(files.iter().any(|file| file == "src/lib.rs"), "found no sources in {root:?}");
    let test_modules: BTreeSet<Vec<String>> = files
        .iter()
        .filter(|file| file.starts_with("src/"))
        .flat_map(|file| test_modules_of(file, &read(file)))
        .collect();
    let mut found = check_manifest(&read("Cargo.toml"));
    found.extend(check_folders(&folders_of(root), &read(".gitignore")));
    for file in &files {
        found.extend(check_source(file, &read(file), &test_modules));
    }
    let report: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(report.is_empty(), "{} untidy places:\n{}", report.len(), report.join("\n"));
}

// ---------------------------------------------------------------------------------------------
// The rules of one source file
// ---------------------------------------------------------------------------------------------

fn check_source(file: &str, text: &str, test_modules: &BTreeSet<Vec<String>>) -> Vec<Violation> {
    let module = module_of(file);
    let is_test = (0..=module.len()).any(|end| test_modules.contains(&module[..end]));
    let mut source = Source { file, module, found: Vec::new() };
    source.check_text(text);
    match text.parse::<TokenStream>() {
        Ok(tokens) => {
            let is_contents = file.starts_with("src/") && file.ends_with("/mod.rs");
            if file == "src/lib.rs" || (is_contents && !TABLES.contains(&file)) {
                source.check_contents(&tokens);
            }
            let depth = source.module.len();
            source.walk(tokens, Place { in_test: is_test, in_attribute: false, depth });
        }
        Err(error) => source.report(error.span().start().line, "syntax", "make it compile"),
    }
    source.found
}

impl Source<'_> {
    fn report(&mut self, line: usize, rule: &'static str, instead: impl Into<String>) {
        self.found.push(Violation {
            file: self.file.to_owned(),
            line,
            rule,
            instead: instead.into(),
        });
    }

    /// The top-level module it belongs to, if it is below one.
    fn layer(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    fn check_text(&mut self, text: &str) {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            let instead = format!("{lines} lines; split it by noun, the limit is {FILE_LINES_MAX}");
            self.report(lines, "file length", instead);
        }
        if !text.starts_with("//!") {
            self.report(1, "file header", "open with `//!`: what it is and why this way");
        }
        for (line, number) in text.lines().zip(1..) {
            // A link cannot be broken.
            if line.chars().count() > LINE_COLUMNS_MAX && !line.contains("://") {
                self.report(number, "line length", format!("wrap at {LINE_COLUMNS_MAX} columns"));
            }
        }
        if self.file.starts_with("src/")
            && let Some(layer) = self.layer()
            && !matches!(layer, "lib" | "main")
            && !LAYERS.iter().any(|(name, _)| *name == layer)
        {
            let instead = format!("give `{layer}` its place in LAYERS of tests/tidy.rs");
            self.report(1, "layers", instead);
        }
    }

    /// `mod.rs` and `lib.rs` are tables of contents.
    fn check_contents(&mut self, tokens: &TokenStream) {
        for item in items_of(tokens) {
            let allowed = matches!(item.keyword.as_str(), "mod" | "use") || item.is_test;
            if !allowed {
                let instead = "move it to a file named after it; here only `mod` and `use`";
                self.report(item.line, "table of contents", instead);
            }
        }
    }

    /// Goes through all tokens.
    fn walk(&mut self, tokens: TokenStream, place: Place) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut in_test_item = false;
        let mut at = 0;
        while at < trees.len() {
            in_test_item |= is_test_attribute(&trees[at..]);
            let in_test = place.in_test || in_test_item;
            match &trees[at] {
                TokenTree::Group(group) => {
                    let inline = at >= 2 && is_word(&trees[at - 2], "mod");
                    let depth = place.depth + usize::from(inline);
                    let in_attribute = at >= 1 && is_punct(&trees[at - 1], '#');
                    self.walk(group.stream(), Place { in_test, in_attribute, depth });
                    in_test_item &= group.delimiter() != Delimiter::Brace;
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => in_test_item = false,
                TokenTree::Ident(_) => self.check_word(&trees, at, Place { in_test, ..place }),
                _ => {}
            }
            at += 1;
        }
    }

    fn check_word(&mut self, trees: &[TokenTree], at: usize, place: Place) {
        let word = trees[at].to_string();
        let line = trees[at].span().start().line;
        if word == "fn" {
            self.check_function(&trees[at..]);
        }
        if word == "ignore" && at == 0 && place.in_attribute {
            let instead = "a test runs or goes; one that needs a tool says so and fails";
            self.report(line, "ignored test", instead);
        }
        let may_be_unsafe = self.file == UNSAFE_HOME || UNSAFE_OUTSIDE.contains(&self.file);
        if (word == "unsafe" || word == "unsafe_code") && !may_be_unsafe {
            self.report(line, "unsafe", format!("do it without, or inside {UNSAFE_HOME}"));
        }
        if !self.file.starts_with("src/") {
            return;
        }
        self.check_foreign(&word, line);
        if !place.in_test {
            self.check_call(trees, at);
        }
        let after_path = at >= 2 && is_colons(&trees[at - 2..at]);
        match word.as_str() {
            "crate" => self.check_imports(&trees[at + 1..], line),
            "super" if !after_path => {
                let supers = trees[at..].chunks(3).take_while(|t| is_word(&t[0], "super")).count();
                if supers >= place.depth {
                    let last = at + 3 * (supers - 1);
                    self.check_imports(&trees[last + 1..], line);
                }
            }
            _ => {}
        }
    }

    /// `path` begins with the `::` after `crate`.
    fn check_imports(&mut self, path: &[TokenTree], line: usize) {
        let Some(layer) = self.layer().map(str::to_owned) else { return };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else { return };
        for module in first_segments(path) {
            let known = LAYERS.iter().any(|(name, _)| *name == module);
            if known && module != layer && !allowed.contains(&module.as_str()) {
                let list = if allowed.is_empty() { "nothing".into() } else { allowed.join(", ") };
                let instead = format!(
                    "`{layer}` must not import `{module}`, only {list}: pass the value in from \
                     above, or move the common part down"
                );
                self.report(line, "layers", instead);
            }
        }
    }

    fn check_foreign(&mut self, word: &str, line: usize) {
        let layer = self.layer().unwrap_or_default().to_owned();
        for (name, home) in HOMES {
            let is_home = self.module.join("/").starts_with(home);
            if begins_crate(word, name) && !is_home {
                let instead =
                    format!("`{name}` stays in src/{home}; offer what is needed as our own type");
                self.report(line, "foreign types", instead);
            }
        }
        for (place, names) in BARRED {
            if layer == *place && names.iter().any(|name| begins_crate(word, name)) {
                let instead = format!("`{place}` is pure; do it at the door that needs `{word}`");
                self.report(line, "foreign types", instead);
            }
        }
    }

    fn check_call(&mut self, trees: &[TokenTree], at: usize) {
        let word = trees[at].to_string();
        let line = trees[at].span().start().line;
        let next = trees.get(at + 1);
        let is_macro = next.is_some_and(|t| is_punct(t, '!'))
            && trees.get(at + 2).is_some_and(|t| matches!(t, TokenTree::Group(_)));
        let is_method = at >= 1 && is_punct(&trees[at - 1], '.');
        let may_print = matches!(self.layer(), Some("cli" | "main"));
        match word.as_str() {
            "unwrap" if is_method => {
                let instead = "return the error, or `expect(\"why this cannot fail\")`";
                self.report(line, "unwrap", instead);
            }
            "expect" if is_method && next.is_some_and(is_one_word) => {
                self.report(line, "expect", "say in a sentence why this cannot fail");
            }
            "todo" | "unimplemented" | "dbg" if is_macro => {
                self.report(line, "unfinished", format!("finish it and take `{word}!` out"));
            }
            "panic" if is_macro => {
                let instead = "return an error for what may happen, `assert!` what must hold";
                self.report(line, "panic", instead);
            }
            "println" | "print" | "eprintln" | "eprint" if is_macro && !may_print => {
                self.report(line, "printing", "say it by `tracing`; only cli prints");
            }
            _ => {}
        }
    }

    /// `trees` begins with `fn`. A function's length runs from that line to its closing brace.
    fn check_function(&mut self, trees: &[TokenTree]) {
        let ends = |t: &TokenTree| is_punct(t, ';') || brace_group(t).is_some();
        let Some(body) = trees.iter().find(|t| ends(t)).and_then(brace_group) else { return };
        let start = trees[0].span().start().line;
        let lines = body.span_close().end().line - start + 1;
        if lines > FUNCTION_LINES_MAX {
            let name = trees[1].to_string();
            let instead = format!(
                "`{name}` has {lines} lines, the limit is {FUNCTION_LINES_MAX}; name its parts"
            );
            self.report(start, "function length", instead);
        }
    }
}

// ---------------------------------------------------------------------------------------------
// The rules of the package
// ---------------------------------------------------------------------------------------------

/// Every dependency stands in a paragraph whose comment says what it is for.
fn check_manifest(text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let (mut in_dependencies, mut explained) = (false, false);
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
            explained = false;
        } else if line.is_empty() {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if in_dependencies && !explained {
            let instead = "say in a comment above why it is needed".to_owned();
            let (file, rule) = ("Cargo.toml".to_owned(), "reasons of dependencies");
            found.push(Violation { file, line: number, rule, instead });
        }
    }
    found
}

/// One reader finds everything in five folders; hidden and ignored ones apart.
fn check_folders(folders: &[String], gitignore: &str) -> Vec<Violation> {
    let ignored = |folder: &str| gitignore.lines().any(|line| line.trim_matches('/') == folder);
    let stray = folders.iter().filter(|f| !FOLDERS.contains(&f.as_str()) && !ignored(f));
    let missing = FOLDERS.iter().filter(|f| !folders.iter().any(|there| there == **f));
    let violation = |folder: &str, instead: String| Violation {
        file: folder.to_owned(),
        line: 1,
        rule: "top-level folders",
        instead,
    };
    stray
        .map(|f| violation(f, format!("move it below one of {}", FOLDERS.join(", "))))
        .chain(missing.map(|f| violation(f, "it is missing".to_owned())))
        .collect()
}

// ---------------------------------------------------------------------------------------------
// Reading files and tokens
// ---------------------------------------------------------------------------------------------

/// The beginning of an item at the top level of a file.
struct Item {
    keyword: String,
    line: usize,
    is_test: bool,
}

fn rust_files(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = ["src", "tests", "examples"].map(|f| root.join(f)).into();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("the folder is readable").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(root).expect("it was found below the root");
                files.push(below.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}

fn folders_of(root: &Path) -> Vec<String> {
    fs::read_dir(root)
        .expect("the root is readable")
        .map(|entry| entry.expect("the root is readable"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

/// `src/dns/udp/mod.rs` is `["dns", "udp"]`; `src/main.rs` is `["main"]`, which no rule names.
fn module_of(file: &str) -> Vec<String> {
    let Some(below) = file.strip_prefix("src/") else { return Vec::new() };
    let below = below.trim_end_matches(".rs");
    below.strip_suffix("/mod").unwrap_or(below).split('/').map(str::to_owned).collect()
}

/// The modules of other files that `#[cfg(test)] mod x;` makes tests.
fn test_modules_of(file: &str, text: &str) -> Vec<Vec<String>> {
    let Ok(tokens) = text.parse::<TokenStream>() else { return Vec::new() };
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut modules = Vec::new();
    let mut in_test_item = false;
    for at in 0..trees.len() {
        in_test_item |= is_test_attribute(&trees[at..]);
        if in_test_item && is_word(&trees[at], "mod") {
            let mut module = if file == "src/lib.rs" { Vec::new() } else { module_of(file) };
            module.push(trees[at + 1].to_string());
            modules.push(module);
        }
        let ends = is_punct(&trees[at], ';') || brace_group(&trees[at]).is_some();
        in_test_item &= !ends;
    }
    modules
}

/// Each item by its keyword, attributes and visibility left out.
fn items_of(tokens: &TokenStream) -> Vec<Item> {
    let mut items = Vec::new();
    let mut current: Option<Item> = None;
    let (mut is_test, mut after_hash) = (false, false);
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let ends = is_punct(tree, ';') || (brace_group(tree).is_some() && !is_use(&current));
        let begins = matches!(tree, TokenTree::Ident(_)) && !is_word(tree, "pub") && !after_hash;
        is_test |= is_test_attribute(&trees[at..]);
        if current.is_none() && begins {
            let line = tree.span().start().line;
            current = Some(Item { keyword: tree.to_string(), line, is_test });
        } else if ends {
            items.extend(current.take());
            is_test = false;
        }
        after_hash = is_punct(tree, '#') || (after_hash && is_punct(tree, '!'));
    }
    items
}

fn is_use(item: &Option<Item>) -> bool {
    item.as_ref().is_some_and(|item| item.keyword == "use")
}

/// The modules that a path names first, given what follows `crate` or the last `super`:
/// `::a::B`, `::{a::B, c}`; nothing when it is no path.
fn first_segments(path: &[TokenTree]) -> Vec<String> {
    if path.len() < 3 || !is_colons(path) {
        return Vec::new();
    }
    match &path[2] {
        TokenTree::Ident(word) => vec![word.to_string()],
        TokenTree::Group(group) => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            inner
                .split(|t| is_punct(t, ','))
                .filter_map(|part| part.first())
                .map(ToString::to_string)
                .collect()
        }
        _ => Vec::new(),
    }
}

/// `#[cfg(test)]`, `#[test]`, `#[tokio::test…]` and the like at the beginning of `trees`.
fn is_test_attribute(trees: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(group), ..] = trees else { return false };
    let text = group.stream().to_string().replace(' ', "");
    is_punct(hash, '#')
        && group.delimiter() == Delimiter::Bracket
        && (text == "test"
            || text.starts_with("cfg(test)")
            || text.starts_with("cfg(any(test")
            || text.starts_with("cfg(all(test")
            || text.starts_with("tokio::test"))
}

fn is_colons(trees: &[TokenTree]) -> bool {
    matches!(trees, [TokenTree::Punct(a), TokenTree::Punct(b), ..]
        if a.as_char() == ':' && b.as_char() == ':' && a.spacing() == Spacing::Joint)
}

fn is_punct(tree: &TokenTree, expected: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == expected)
}

fn is_word(tree: &TokenTree, expected: &str) -> bool {
    matches!(tree, TokenTree::Ident(word) if word == expected)
}

fn brace_group(tree: &TokenTree) -> Option<&Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    }
}

/// `("text")` without a space in it: no sentence.
fn is_one_word(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else { return false };
    let text = group.stream().to_string();
    text.starts_with('"') && !text.contains(' ')
}

/// `hickory_proto` and `hickory` begin with the crate family `hickory`; `hickoryish` does not.
fn begins_crate(word: &str, name: &str) -> bool {
    word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.rule, self.instead)
    }
}

// ---------------------------------------------------------------------------------------------
// The rules can fail
// ---------------------------------------------------------------------------------------------

mod on_bad_input {
    use super::*;

    /// `file:line rule` of each violation that the rules find in `body` below a good header.
    fn found(file: &str, body: &str) -> Vec<String> {
        let text = format!("//! A file.\n{body}");
        check_source(file, &text, &BTreeSet::from([vec!["dns".into(), "tests".into()]]))
            .iter()
            .map(|v| format!("{} {}", v.line, v.rule))
            .collect()
    }

    #[test]
    fn each_rule_finds_what_it_forbids() {
        let cases: &[(&str, &str, &str)] = &[
            ("src/dns/a.rs", "use crate::http::Router;", "2 layers"),
            ("src/dns/a.rs", "use crate::{model::Name, health::Probe};", "2 layers"),
            ("src/http/a.rs", "fn f() {\n    g(crate::dns::serve);\n}", "3 layers"),
            ("src/http/a/b.rs", "use super::super::super::dns::X;", "2 layers"),
            ("src/http/a.rs", "mod b { use super::super::super::dns::X; }", "2 layers"),
            ("src/model/a.rs", "use crate::registry::Registry;", "2 layers"),
            ("src/util/a.rs", "use crate::model::Name;", "2 layers"),
            ("src/telemetry/a.rs", "use crate::model::Name;", "2 layers"),
            ("src/registry/a.rs", "use crate::store::Store;", "2 layers"),
            ("src/store/a.rs", "fn f() { m!(crate::dns::X) }", "2 layers"),
            ("src/health/a.rs", "use crate::app::App;", "2 layers"),
            ("src/app/a.rs", "use crate::cli::Args;", "2 layers"),
            ("src/xds/a.rs", "struct A;", "1 layers"),
            ("src/http/a.rs", "use hickory_proto::op::Message;", "2 foreign types"),
            ("src/app/a.rs", "fn f(r: axum::Router) {}", "2 foreign types"),
            ("src/registry/a.rs", "use redb::Database;", "2 foreign types"),
            ("src/cluster/a.rs", "use prost::Message;", "2 foreign types"),
            ("src/cluster/a.rs", "use crate::dns::X;", "2 layers"),
            ("src/registry/a.rs", "use crate::cluster::X;", "2 layers"),
            ("src/store/a.rs", "use crate::cluster::X;", "2 layers"),
            ("src/model/a.rs", "#[derive(serde::Serialize)]\nstruct A;", "2 foreign types"),
            ("src/model/a.rs", "use tokio::sync::mpsc;", "2 foreign types"),
            ("src/registry/a.rs", "use serde_json::Value;", "2 foreign types"),
            ("src/dns/udp/worker.rs", "fn f() { unsafe { g() } }", "2 unsafe"),
            ("src/store/a.rs", "#![allow(unsafe_code)]", "2 unsafe"),
            ("examples/bench/cpu.rs", "fn f() { unsafe { g() } }", "2 unsafe"),
            ("src/store/a.rs", "fn f() { g().unwrap(); }", "2 unwrap"),
            ("src/store/a.rs", "fn f() { g().expect(\"number\"); }", "2 expect"),
            ("tests/it/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}", "3 ignored test"),
            ("src/store/a.rs", "fn f() { todo!() }", "2 unfinished"),
            ("src/store/a.rs", "fn f() { dbg!(1); }", "2 unfinished"),
            ("src/store/a.rs", "fn f() { panic!(\"no\") }", "2 panic"),
            ("src/store/a.rs", "fn f() { println!(); }", "2 printing"),
            ("src/dns/mod.rs", "mod a;\npub use a::A;\nconst N: u8 = 1;", "4 table of contents"),
            ("src/dns/mod.rs", "pub use a::{A, B};\nimpl A {}", "3 table of contents"),
            ("src/dns/a.rs", "fn f( {", "2 syntax"),
        ];
        for (file, body, expected) in cases {
            assert_eq!(found(file, body), [*expected], "{file}: {body}");
        }
    }

    #[test]
    fn sizes_and_headers_are_counted() {
        let function = |lines: usize| format!("fn f() {{\n{}}}", "    g();\n".repeat(lines - 2));
        assert_eq!(found("src/dns/a.rs", &function(70)), [""; 0]);
        assert_eq!(found("src/dns/a.rs", &function(71)), ["2 function length"]);
        assert_eq!(found("tests/it/a.rs", &function(71)), ["2 function length"]);
        let nested = format!("mod a {{ impl B {{ {} }} }}", function(71));
        assert_eq!(found("src/dns/a.rs", &nested), ["2 function length"]);
        assert_eq!(found("src/dns/a.rs", &"// x\n".repeat(699)), [""; 0]);
        assert_eq!(found("src/dns/a.rs", &"// x\n".repeat(700)), ["701 file length"]);
        assert_eq!(found("src/dns/a.rs", &format!("// {}", "ü".repeat(97))), [""; 0]);
        assert_eq!(found("src/dns/a.rs", &format!("// {}", "ü".repeat(98))), ["2 line length"]);
        let headless = check_source("src/dns/a.rs", "fn f() {}", &BTreeSet::new());
        assert_eq!(headless[0].to_string().split(": ").nth(1), Some("file header"));
    }

    #[test]
    fn strings_comments_and_tests_are_left_alone() {
        let cases: &[(&str, &str)] = &[
            ("src/http/a.rs", "// crate::dns::X, x.unwrap(), unsafe\nconst A: char = '{';"),
            ("src/http/a.rs", "const A: &str = r#\"crate::dns \"} unsafe todo!()\"#;"),
            ("src/http/a.rs", "/// [`crate::dns`]\nfn f<'a>() -> &'a str { \"{\" }"),
            ("src/dns/a.rs", "#[cfg(test)]\nmod tests { fn f() { g().unwrap(); panic!() } }"),
            ("src/dns/a.rs", "#[test]\nfn f() { g().unwrap(); }"),
            ("src/dns/tests.rs", "fn f() { g().unwrap(); }"),
            ("src/dns/tests/a.rs", "fn f() { g().unwrap(); }"),
            ("src/dns/udp/sys.rs", "#![allow(unsafe_code)]\nfn f() { unsafe { g() } }"),
            ("examples/bench/floor.rs", "#![allow(unsafe_code)]\nfn f() { unsafe { g() } }"),
            ("src/dns/a.rs", "use super::super::model::A;\nuse hickory_proto::op::Message;"),
            ("src/dns/a/b.rs", "use super::super::store::A;"),
            ("src/cluster/a.rs", "use crate::{registry::A, store::B};"),
            ("src/cluster/etcd/a/b.rs", "use prost::Message;"),
            ("src/dns/mod.rs", "#![warn(x)]\nmod a;\npub(crate) mod b;\npub use a::{A, B};"),
            ("src/cli/a.rs", "use crate::{app::App, http::X};\nfn f() { println!(\"a\"); }"),
            ("src/dns/a.rs", "fn f() { g(ignore).expect(\"it is there\"); h.expect(b'x'); }"),
            ("src/main.rs", "fn main() { eprintln!(\"a\"); }"),
            ("tests/it/a.rs", "use axum::Router;\nfn f() { g().unwrap(); }"),
        ];
        for (file, body) in cases {
            assert_eq!(found(file, body), [""; 0], "{file}: {body}");
        }
        let after = "#[cfg(test)]\nuse a::B;\nfn f() { g().unwrap(); }";
        assert_eq!(found("src/dns/a.rs", after), ["4 unwrap"]);
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_is_known_by_its_declaration() {
        let text = "//! A.\nmod a;\n#[cfg(test)]\npub(crate) mod testing;\nmod b;";
        let expected = [vec!["registry".to_owned(), "testing".to_owned()]];
        assert_eq!(test_modules_of("src/registry/mod.rs", text), expected);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let text =
            "[dependencies]\n# Why.\na = \"1\"\nb = \"1\"\n\nc = \"1\"\n[lints]\nd = \"x\"\n";
        let lines: Vec<usize> = check_manifest(text).iter().map(|v| v.line).collect();
        assert_eq!(lines, [6]);
    }

    #[test]
    fn a_stray_folder_and_a_missing_one_are_found() {
        let folders = ["benches", "docker", "examples", "src", "target", "tests"].map(String::from);
        let found = check_folders(&folders, "/target\n");
        let names: Vec<&str> = found.iter().map(|v| v.file.as_str()).collect();
        assert_eq!(names, ["benches", "zones"]);
    }
}
