//! What can be checked of the Buildroot tree without Buildroot: names agree, symbols are known, scripts are sound, the form
//! is that of Buildroot's own `check-package`, and the script that makes the image file makes one.
//!
//! Source of the rules: Buildroot manual, "Keeping customizations outside of Buildroot" and "Adding new packages";
//! `utils/check-package` of Buildroot.

mod build;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages of the tree, the workspace member that each builds, and a program of it.
const PACKAGES: [(&str, &str, &str); 3] =
    [("srp-image", "image", "srp-boot"), ("srpctl", "srp/cli", "srpctl"), ("srpd", "srp/daemon", "srpd")];

/// A package's name in variables and symbols.
fn upper(package: &str) -> String {
    package.to_uppercase().replace('-', "_")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

fn tree() -> PathBuf {
    repository().join("buildroot-ext")
}

fn text(path: &str) -> String {
    let path = tree().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files of the tree, by path below it.
fn files() -> BTreeMap<String, String> {
    fn collect(folder: &Path, root: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()) {
            if entry.is_dir() {
                collect(&entry, root, files);
            } else {
                let name = entry.strip_prefix(root).expect("below").to_string_lossy().into_owned();
                files.insert(name, fs::read_to_string(&entry).expect("text"));
            }
        }
    }
    let mut files = BTreeMap::new();
    collect(&tree(), &tree(), &mut files);
    files
}

/// Files that are scripts of the shell.
fn scripts() -> Vec<String> {
    files().into_iter().filter(|(_, text)| text.starts_with("#!/bin/sh")).map(|(name, _)| name).collect()
}

/// Words of `text` that are symbols of Buildroot, without those that name this tree.
fn symbols(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("BR2_") && !word.starts_with("BR2_EXTERNAL"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_name_of_the_tree_is_the_one_its_files_use() {
    let name = text("external.desc").lines().find_map(|line| line.strip_prefix("name: ").map(str::to_owned));
    assert_eq!(name.as_deref(), Some("SRP"));
    for (file, text) in files() {
        for word in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
            if let Some(rest) = word.strip_prefix("BR2_EXTERNAL_") {
                assert_eq!(rest, "SRP_PATH", "{file}: {word} names another tree");
            }
        }
    }
}

#[test]
fn every_package_is_listed_and_named_alike() {
    let listed = text("Config.in");
    for (package, member, _) in PACKAGES {
        let upper = upper(package);
        let source = format!("source \"$BR2_EXTERNAL_SRP_PATH/package/{package}/Config.in\"");
        assert!(listed.lines().any(|line| line == source), "Config.in has no line {source}");
        let config = text(&format!("package/{package}/Config.in"));
        assert!(
            config.starts_with(&format!("config BR2_PACKAGE_{upper}\n\tbool \"{package}\"\n")),
            "{config}"
        );
        assert!(config.contains("\tdepends on BR2_PACKAGE_HOST_RUSTC_TARGET_ARCH_SUPPORTS\n"));
        assert!(config.contains("\tselect BR2_PACKAGE_HOST_RUSTC\n"));
        let make = text(&format!("package/{package}/{package}.mk"));
        for line in [
            format!("{upper}_SITE = $(realpath $(BR2_EXTERNAL_SRP_PATH)/..)"),
            format!("{upper}_SITE_METHOD = local"),
            format!("{upper}_SUBDIR = {member}"),
            format!("{upper}_POST_RSYNC_HOOKS += {upper}_VENDOR_CRATES"),
            "$(eval $(cargo-package))".to_owned(),
        ] {
            assert!(make.lines().any(|found| found == line), "{package}.mk has no line {line}");
        }
        assert!(text(PRODUCTION).contains(&format!("BR2_PACKAGE_{upper}=y\n")));
    }
    let sourced = listed.lines().filter(|line| line.starts_with("source ")).count();
    assert_eq!(sourced, PACKAGES.len(), "Config.in lists a package that this test does not know");
    assert_eq!(text("external.mk"), "include $(sort $(wildcard $(BR2_EXTERNAL_SRP_PATH)/package/*/*.mk))\n");
}

#[test]
fn packages_have_the_version_of_the_workspace_and_build_members_of_it() {
    for (package, member, program) in PACKAGES {
        let make = text(&format!("package/{package}/{package}.mk"));
        let line = format!("{}_VERSION = {}", upper(package), env!("CARGO_PKG_VERSION"));
        assert!(make.lines().any(|found| found == line), "{package}.mk has no line {line}");
        // `cargo install --path ./` runs inside the member and installs its programs under their own names.
        let member = repository().join(member);
        let manifest = fs::read_to_string(member.join("Cargo.toml")).expect("manifest");
        let builds = manifest.contains(&format!("name = \"{program}\""))
            || member.join(format!("src/bin/{program}.rs")).is_file();
        assert!(builds, "{} does not build {program}", member.display());
    }
}

#[test]
fn every_symbol_of_buildroot_was_looked_up() {
    let known: BTreeSet<String> = text("symbols.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [symbol, _file, _seen] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("symbols.txt: not three words: {line}");
            };
            symbol.to_owned()
        })
        .collect();
    let own: BTreeSet<String> =
        PACKAGES.iter().map(|(package, _, _)| format!("BR2_PACKAGE_{}", upper(package))).collect();
    let mut used = BTreeSet::new();
    for (file, text) in files() {
        if file == "README.md" || file == "symbols.txt" || text.starts_with("#!") {
            continue; // prose, the list itself, and variables that Buildroot exports to scripts
        }
        for symbol in symbols(&text).difference(&own) {
            assert!(known.contains(symbol), "{file}: {symbol} is not in symbols.txt");
            used.insert(symbol.clone());
        }
    }
    let stale: Vec<_> = known.difference(&used).collect();
    assert!(stale.is_empty(), "symbols.txt has symbols that nothing uses: {stale:?}");
}

const PRODUCTION: &str = "configs/srp_x86_64_defconfig";

#[test]
fn the_debug_configuration_is_the_production_one_and_tools() {
    let debug = text("configs/srp_x86_64_debug_defconfig");
    let more = debug.strip_prefix(&text(PRODUCTION)).expect("it begins as the production one");
    let more: Vec<_> = more.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(more, ["BR2_PACKAGE_STRACE=y", "BR2_PACKAGE_TCPDUMP=y"]);
}

#[test]
fn the_configuration_takes_nothing_unchecked_and_knows_its_kernel() {
    let configuration = text(PRODUCTION);
    let set: BTreeMap<&str, &str> = configuration
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .collect();
    assert_eq!(set.get("BR2_DOWNLOAD_FORCE_CHECK_HASHES"), Some(&"y"));
    // Without a known series of kernel headers Buildroot drops glibc, and with it Rust and srpd, without a word.
    let latest = set.get("BR2_LINUX_KERNEL_LATEST_VERSION") == Some(&"y");
    let series = set.keys().any(|symbol| symbol.starts_with("BR2_PACKAGE_HOST_LINUX_HEADERS_CUSTOM_"));
    assert!(
        latest != series,
        "either Buildroot's own kernel version, or a series of headers for another one"
    );
    // What the configuration points to is there.
    for (symbol, value) in set {
        let words = value.trim_matches('"').split(' ');
        for path in words.filter_map(|word| word.strip_prefix("$(BR2_EXTERNAL_SRP_PATH)/")) {
            assert!(tree().join(path).exists(), "{symbol}: {path} does not exist");
        }
    }
}

#[test]
fn files_have_the_form_that_buildroot_asks_for() {
    for (file, text) in files() {
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{file}: one newline at the end");
        assert!(!text.contains("\n\n\n"), "{file}: two empty lines in a row");
        for (number, line) in (1..).zip(text.lines()) {
            assert_eq!(line, line.trim_end(), "{file}:{number}: space at the end of the line");
        }
        if Path::new(&file).extension().is_some_and(|extension| extension == "mk") && file != "external.mk" {
            makefile_form(&file, &text);
        }
        if file.ends_with("Config.in") {
            menu_form(&file, &text);
        }
    }
}

/// check-package's rules for `package/*/*.mk`.
fn makefile_form(file: &str, text: &str) {
    let name = Path::new(file).file_stem().expect("a name").to_string_lossy().into_owned();
    let bar = "#".repeat(80);
    assert!(text.starts_with(&format!("{bar}\n#\n# {name}\n#\n{bar}\n\n")), "{file}: header of 80 hashes");
    let (mut in_define, mut continued) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let at = format!("{file}:{number}");
        assert!(!line.contains("${"), "{at}: variables are written $(), not ${{}}");
        let starts = line.starts_with("define ");
        let ends = line == "endef";
        if !starts && !ends && !line.is_empty() {
            assert_eq!(
                line.starts_with('\t'),
                in_define || continued,
                "{at}: tabs inside define and after \\ only"
            );
        }
        continued = line.ends_with('\\') && !line.starts_with('#');
        assert!(!continued || line.ends_with(" \\") && !line.ends_with("  \\"), "{at}: one space before \\");
        in_define = (in_define || starts) && !ends;
        let assigned =
            line.strip_prefix("define ").or_else(|| line.split_once([' ', '=']).map(|(name, _)| name));
        if let Some(variable) = assigned
            && variable
                .bytes()
                .all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit() || octet == b'_')
            && !variable.is_empty()
        {
            let prefix = format!("{}_", upper(&name));
            let own = variable.strip_prefix("HOST_").unwrap_or(variable).starts_with(&prefix);
            assert!(own, "{at}: {variable} does not begin with {prefix}");
        }
    }
}

/// check-package's rules for `Config.in`.
fn menu_form(file: &str, text: &str) {
    let mut in_help = false;
    for (number, line) in (1..).zip(text.lines().filter(|line| !line.is_empty())) {
        let at = format!("{file}: line {number}");
        if line.starts_with("config ") || line.starts_with("source ") {
            in_help = false;
        } else if line == "\thelp" {
            in_help = true;
        } else if in_help {
            let words =
                line.strip_prefix("\t  ").unwrap_or_else(|| panic!("{at}: help is a tab and two spaces"));
            assert!(words.len() <= 62, "{at}: help lines have at most 62 characters");
        } else {
            let attribute = line.strip_prefix('\t').unwrap_or_else(|| panic!("{at}: one tab"));
            let known = ["bool", "default", "depends on", "select"];
            assert!(known.iter().any(|word| attribute.starts_with(word)), "{at}: {attribute}");
        }
    }
}

#[test]
fn the_service_script_is_named_and_written_as_buildroot_asks() {
    let script = text("package/srpd/S50srpd");
    assert!(
        script.contains("\nDAEMON=\"srpd\"\n") && script.contains("\nPIDFILE=\"/var/run/$DAEMON.pid\"\n")
    );
    for (number, line) in (1..).zip(script.lines()) {
        assert!(!line.starts_with(' '), "S50srpd:{number}: tabs, not spaces");
    }
}

#[test]
fn scripts_are_sound() {
    let root = repository();
    let own = scripts().into_iter().map(|script| tree().join(script));
    let guest =
        ["image/guest/rcS", "image/guest/rcK", "scripts/build-static"].map(|script| root.join(script));
    for script in own.chain(guest) {
        let syntax = Command::new("sh").arg("-n").arg(&script).status().expect("sh");
        assert!(syntax.success(), "sh -n {}", script.display());
        let checked = Command::new("shellcheck")
            .arg(&script)
            .output()
            .expect("shellcheck is missing: install the Debian package shellcheck");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
}
