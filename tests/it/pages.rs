//! The pages of `examples/clients`: what they show is what the tests of the clients run.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::support::{command::run, node::read};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of what a folder has, sorted.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The folders of the clients, by what `ls` says.
fn clients() -> BTreeSet<String> {
    let folder = root().join("examples/clients");
    names_in(&folder).into_iter().filter(|name| folder.join(name).is_dir()).collect()
}

#[test]
fn each_client_has_a_page_and_a_test() {
    let runner = root().join("tests/steps/clients/run");
    let list = run(Command::new(runner).arg("--list")).ok();
    let tested: BTreeSet<_> = list.lines().map(str::to_owned).collect();
    assert_eq!(tested, clients());
    let index = read(&root().join("examples/clients/README.md"));
    for client in tested {
        let link = format!("]({client}/README.md) |");
        assert!(index.contains(&link), "{client} is not in the table of pages");
        assert!(root().join("tests/steps/clients").join(&client).is_file(), "{client}");
    }
}

#[test]
fn the_pages_of_clients_show_the_very_files_that_their_tests_use() {
    let steps = root().join("tests/steps/clients");
    let all_steps: String = names_in(&steps).iter().map(|name| read(&steps.join(name))).collect();
    for client in clients() {
        let folder = root().join("examples/clients").join(&client);
        let page = read(&folder.join("README.md"));
        for name in names_in(&folder).into_iter().filter(|name| name != "README.md") {
            let used = format!("$pages/{client}/{name}");
            // Go is built in its folder.
            let built = format!("cd \"$pages/{client}\"");
            assert!(all_steps.contains(&used) || all_steps.contains(&built), "{used} is not used");
            assert!(page.contains(&format!("[`{name}`]({name})")), "{client}: no link to {name}");
            let is_program = ["go", "js", "py", "sh"].iter().any(|end| name.ends_with(end));
            let text = read(&folder.join(&name));
            let shown: String =
                text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n");
            let shown = shown.replace("\n    \n", "\n\n");
            assert!(is_program || page.contains(&shown), "{client} does not show {name}:\n{shown}");
        }
    }
}

#[test]
fn the_pages_of_clients_link_to_what_is_there() {
    let folder = root().join("examples/clients");
    let pages = clients().into_iter().map(|client| folder.join(client).join("README.md"));
    for page in pages.chain([folder.join("README.md")]) {
        let text = read(&page);
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(page.with_file_name(link).exists(), "{} links to {link}", page.display());
        }
    }
}
