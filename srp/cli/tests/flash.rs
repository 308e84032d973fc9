//! The boot stack and files on `/flash`, by the commands for them; no srpd is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::boot::{BootFile, Priority, Why, file};
use image::bundle::{self, Recipe, Version, signature_of};
use image::signature::{SigningKey, keygen};
use serde_json::Value;

/// A folder that stands for the data partition, with a key and a release beside it.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(machine.path("flash")).expect("a folder");
        fs::create_dir(machine.path("bin")).expect("a folder");
        let files = keygen(machine.folder.path(), "k", 1_760_000_000).expect("openssl makes a key");
        let key = SigningKey::read(&files).expect("a key");
        for member in ["v", "i", "r"] {
            fs::write(machine.path(member), member.repeat(5_000)).expect("a file");
        }
        for name in ["old", "new"] {
            let recipe = Recipe {
                kernel: machine.path("v"),
                initrd: machine.path("i"),
                root: machine.path("r"),
                version: Version::ours(),
                minimum_version: Version::ours(),
                build: format!("build-{name}"),
            };
            bundle::write(&recipe, &key, &machine.path(&format!("{name}.bin"))).expect("an image");
        }
        fs::write(machine.flash("srp.toml"), "[srp]\n").expect("a file");
        fs::write(machine.path("cmdline"), "console=ttyS0\n").expect("a file");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn flash(&self, name: &str) -> PathBuf {
        self.path("flash").join(name)
    }

    /// The words of a command line, with `/flash` as it is here.
    fn srpctl(&self, words: &str) -> Output {
        let flash = self.path("flash");
        let words = words.replace("/flash", text(&flash)).replace("/here", text(self.folder.path()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_srpctl"));
        command.arg("--flash").arg(&flash).arg("--keys").arg(self.path("k.gpg"));
        command.arg("--command-line").arg(self.path("cmdline")).args(words.split_whitespace());
        // No program but ours is found: nothing here restarts the machine of the test.
        command.env("PATH", self.path("bin")).stdin(Stdio::null()).output().expect("srpctl runs")
    }

    /// What it says, with `/flash` for the folder.
    fn says(&self, words: &str) -> String {
        let output = self.srpctl(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words}: {said}");
        self.shown(&output.stdout)
    }

    /// What it refuses, in the same way.
    fn refuses(&self, words: &str) -> String {
        let output = self.srpctl(words);
        assert_eq!(output.status.code(), Some(1), "{words}: {}", self.shown(&output.stdout));
        self.shown(&output.stderr)
    }

    fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.says(&format!("--json {words}"))).expect("JSON")
    }

    fn shown(&self, octets: &[u8]) -> String {
        String::from_utf8_lossy(octets).replace(text(&self.path("flash")), "/flash")
    }

    fn install(&self, name: &str) {
        self.says(&format!("copy /here/{name}.bin /flash"));
        self.says(&format!("boot system priority next image /flash/{name}.bin config /flash/srp.toml"));
    }
}

/// Its words, a line each: the folder of a test has another length than `/flash`, and columns with it.
fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn priority(number: u8) -> Priority {
    Priority::new(number).expect("1 to 100")
}

#[test]
fn img_1_files_are_copied_to_flash_and_listed_with_the_room_beside_them() {
    let machine = Machine::new();
    let copied = machine.says("copy /here/new.bin /flash");
    assert!(copied.starts_with("Copied: /flash/new.bin, "), "{copied}");
    assert!(copied.contains("Its signature came with it"), "{copied}");
    assert_eq!(
        fs::read(machine.flash("new.bin")).expect("a file"),
        fs::read(machine.path("new.bin")).expect("a file")
    );
    assert!(signature_of(&machine.flash("new.bin")).exists());
    let listed = machine.says("directory /flash");
    let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names[1..5], ["new.bin", "new.bin.sig", "srp.toml", "boot/"]);
    assert!(listed.contains(" octets free of "), "{listed}");
    let json = machine.json("directory");
    assert_eq!(json["files"][2]["octets"], 6);
    assert!(json["free"].as_u64().expect("a number") > 0);

    fs::remove_file(signature_of(&machine.path("old.bin"))).expect("it was there");
    let unsigned = machine.says("copy /here/old.bin /flash/");
    assert!(
        unsigned.contains("Not signed yet, and the loader boots nothing unsigned: cannot open "),
        "{unsigned}"
    );
}

#[test]
fn a_file_is_replaced_only_when_somebody_says_so_and_never_what_is_booted() {
    let machine = Machine::new();
    fs::write(machine.path("other.toml"), "# other\n").expect("a file");
    let refused = machine.refuses("copy /here/other.toml /flash/srp.toml");
    assert!(refused.contains("/flash/srp.toml exists and would be replaced: nothing was done"), "{refused}");
    machine.says("copy /here/other.toml /flash/srp.toml -noconfirm");
    assert_eq!(fs::read_to_string(machine.flash("srp.toml")).expect("a file"), "# other\n");
    machine.install("old");
    let refused = machine.refuses("copy /here/new.bin /flash/old.bin -noconfirm");
    assert!(refused.contains("/flash/old.bin is what boot priority 10 boots"), "{refused}");
    machine.says("copy /flash/srp.toml /here/saved.toml");
    assert!(machine.path("saved.toml").exists());
    let refused = machine.refuses("copy sftp://h/a https://h/b");
    assert!(refused.contains("are both elsewhere: copy the file here first"), "{refused}");
}

#[test]
fn img_2_show_version_of_a_file_says_what_the_loader_will() {
    let machine = Machine::new();
    machine.says("copy /here/new.bin /flash");
    let sound = machine.says("show version /flash/new.bin");
    for line in ["Version:       0.1.0", "Build:         build-new", "Checksums:     good, 5 members"] {
        assert!(sound.contains(line), "{sound}");
    }
    assert!(sound.ends_with("Verdict:       sound: the loader will boot it\n"), "{sound}");
    assert_eq!(machine.json("show version /flash/new.bin")["loader-boots"], true);

    let mut octets = fs::read(machine.flash("new.bin")).expect("a file");
    let last = octets.len() - 2_000;
    octets[last] ^= 1;
    fs::write(machine.flash("new.bin"), octets).expect("a file");
    let output = machine.srpctl("show version /flash/new.bin");
    assert_eq!(output.status.code(), Some(1));
    assert!(machine.shown(&output.stdout).ends_with("refused: the loader will not boot it\n"));
    let reasons = machine.shown(&output.stderr);
    assert!(reasons.contains("the signature of the file does not hold"), "{reasons}");
    assert!(reasons.contains("rootfs.squashfs is not what its manifest says"), "{reasons}");
    let refused = machine.refuses("boot system priority 9 image /flash/new.bin config /flash/srp.toml");
    assert!(refused.contains("does not hold"), "{refused}");
    assert!(BootFile::read(&machine.path("flash")).is_err(), "nothing was entered");
    let refused = machine.refuses("show version /flash/none.bin");
    assert!(refused.contains("/flash/none.bin: No such file"), "{refused}");
}

#[test]
fn img_3_entries_are_made_shown_and_deleted() {
    let machine = Machine::new();
    machine.says("copy /here/new.bin /flash");
    let entered = machine.says("boot system priority 20 image /flash/new.bin config /flash/srp.toml");
    let expected = "Boot priority 20 is /flash/new.bin, release 0.1.0 (build-new), with /flash/srp.toml. The next reload tries it.\n";
    assert_eq!(entered, expected);
    machine.install("old");
    let shown = "\
Booted:  not from an image by the appliance's loader
Next:    priority 19, /flash/old.bin

Priority  Image           Configuration    State  Tries  Last Boot
      19  /flash/old.bin  /flash/srp.toml  new        3
      20  /flash/new.bin  /flash/srp.toml  new        3
";
    assert_eq!(words(&machine.says("show boot")), words(shown));
    assert_eq!(
        machine.says("no boot system priority 19"),
        "Boot priority 19 is no more; /flash/old.bin is still there.\n"
    );
    assert_eq!(machine.json("show boot")["entries"].as_array().map(Vec::len), Some(1));
    let refused = machine.refuses("no boot system priority 19");
    assert_eq!(refused, "srpctl: no boot entry has priority 19: there are 20\n");
    let refused = machine.refuses("no boot system priority 20");
    assert!(refused.contains("is the only boot entry"), "{refused}");
    let refused = machine.refuses("boot system priority 5 image /flash/new.bin config /flash/none.toml");
    assert!(refused.contains("copy the configuration there first"), "{refused}");
    let refused = machine.refuses("boot system priority 5 image /tmp/new.bin config /flash/srp.toml");
    assert!(refused.contains("/tmp/new.bin is not on /flash: copy it there first"), "{refused}");
}

#[test]
fn img_4_the_next_priority_is_one_below_the_first_and_renumbers_when_1_is_taken() {
    let machine = Machine::new();
    machine.says("copy /here/new.bin /flash");
    let priorities = || -> Vec<u64> {
        let shown = machine.json("show boot");
        let entries = shown["entries"].as_array().expect("a list").iter();
        entries.map(|entry| entry["priority"].as_u64().expect("a number")).collect()
    };
    let enter = |at: &str| {
        machine.says(&format!("boot system priority {at} image /flash/new.bin config /flash/srp.toml"))
    };
    enter("2");
    enter("next");
    assert_eq!(priorities(), [1, 2]);
    assert!(enter("next").starts_with("Boot priority 9 is "));
    assert_eq!(priorities(), [9, 10, 20]);
}

#[test]
fn img_5_show_version_and_show_build_say_what_runs() {
    let machine = Machine::new();
    machine.install("new");
    let none = machine.says("show version");
    assert!(none.contains("Image:    none: this machine was not booted from an image"), "{none}");
    let line = "srp.slot=1 srp.image=/new.bin srp.config=/srp.toml\n";
    fs::write(machine.path("cmdline"), line).expect("a file");
    let version = machine.says("show version");
    assert!(
        version.starts_with("Version:  0.1.0\nBuild:    build-new\nImage:    /flash/new.bin\nKernel:   "),
        "{version}"
    );
    let build = machine.says("show build");
    assert_eq!(words(&build)[2], ["Product:", "srp-appliance"]);
    assert!(words(&build).iter().any(|row| row.starts_with(&["rootfs.squashfs", "5000"])), "{build}");
    let json = machine.json("show build");
    assert_eq!((&json["manifest"]["build"], &json["image"]), (&"build-new".into(), &"/flash/new.bin".into()));
}

#[test]
fn show_boot_says_what_was_passed_over_and_why() {
    let machine = Machine::new();
    for name in ["old", "new"] {
        machine.install(name);
    }
    fs::copy(machine.path("new.bin"), machine.flash("third.bin")).expect("copied");
    fs::copy(machine.path("new.bin.sig"), machine.flash("third.bin.sig")).expect("copied");
    machine.says("boot system priority next image third.bin config srp.toml");
    let line = "srp.slot=3 srp.image=/old.bin srp.config=/srp.toml\n";
    fs::write(machine.path("cmdline"), line).expect("a file");
    file::change::<_, file::FileError>(&machine.path("flash"), |block| {
        block.stack.mark_bad(priority(8), Why::Root).expect("there is such an entry");
        block.stack.mark_bad(priority(9), Why::Signature).expect("there is such an entry");
        block.stack.mark_good(priority(10)).expect("there is such an entry");
        Ok(())
    })
    .expect("written");
    let shown = machine.says("show boot");
    let expected = "\
Booted:  /flash/old.bin with /flash/srp.toml
Next:    priority 10, /flash/old.bin

Priority  Image             Configuration    State  Tries  Last Boot
       8  /flash/third.bin  /flash/srp.toml  bad        0  passed over: it booted and could not mount its root file system: copy the image again, then name it again
       9  /flash/new.bin    /flash/srp.toml  bad        0  passed over: bad or missing signature: `show version FILE` says of what; copy the image and its .sig again
      10  /flash/old.bin    /flash/srp.toml  good       -  booted
";
    assert_eq!(words(&shown), words(expected));
    let json = machine.json("show boot");
    assert_eq!(
        (&json["entries"][1]["why"], &json["entries"][2]["booted"]),
        (&"signature".into(), &true.into())
    );
    fs::write(machine.path("cmdline"), "srp.slot=0 srp.image=/old.bin srp.uncounted\n").expect("a file");
    assert!(machine.says("show boot").starts_with("Booted:  /flash/old.bin, as last resort: no boot entry"));
}

#[test]
fn a_damaged_boot_stack_is_said_and_written_anew_with_what_is_whole() {
    let machine = Machine::new();
    for name in ["old", "new"] {
        machine.install(name);
    }
    let place = BootFile::path(&machine.path("flash"));
    let damaged = fs::read_to_string(&place).expect("a file").replace("s1_tries=3", "s1_tries=x");
    fs::write(&place, damaged).expect("a file");
    for words in ["show boot", "no boot system priority 10"] {
        let refused = machine.refuses(words);
        assert!(
            refused.contains("s1_tries is \"x\": 0 to 3 is wanted; `srpctl boot rebuild` keeps"),
            "{refused}"
        );
    }
    let rebuilt = machine.says("boot rebuild");
    assert!(
        rebuilt.contains("Left out: s1_tries is") && rebuilt.ends_with("Entries kept: 1; see `show boot`.\n"),
        "{rebuilt}"
    );
    assert_eq!(machine.says("boot rebuild"), "The boot stack is whole; nothing was changed.\n");
    assert_eq!(machine.json("show boot")["entries"][0]["priority"], 10);
}

#[test]
fn ops_9_the_file_system_is_synchronised_and_reload_restarts_only_what_the_loader_booted() {
    let machine = Machine::new();
    machine.install("new");
    let synchronised = machine.says("filesystem synchronize all");
    assert_eq!(synchronised, "/flash: the disk has everything, also for the loader.\n");

    let script = machine.path("bin/reboot");
    fs::write(&script, format!("#!/bin/sh\n: >{}\n", machine.path("restarted").display())).expect("a file");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode");
    let refused = machine.refuses("reload -noconfirm");
    assert!(refused.contains("was not booted from an image by the appliance's loader"), "{refused}");
    let line = "srp.slot=1 srp.image=/new.bin srp.config=/srp.toml\n";
    fs::write(machine.path("cmdline"), line).expect("a file");
    let refused = machine.refuses("reload");
    assert!(
        refused.contains("boot priority 10 is next, /flash/new.bin: nothing was done; answer yes"),
        "{refused}"
    );
    assert!(!machine.path("restarted").exists());
    let said = machine.says("reload -noconfirm");
    assert_eq!(said, "Restarting; boot priority 10 is next, /flash/new.bin.\n");
    assert!(machine.path("restarted").exists());
}

#[test]
fn a_mistyped_word_is_answered_with_the_nearest_one() {
    let machine = Machine::new();
    for (words, nearest) in [
        ("boot sistem priority 9 image a config b", "'system'"),
        ("directry", "'directory'"),
        ("show bot", "'boot'"),
        ("boot system priority 9 imige a config b", "'image'"),
    ] {
        let output = machine.srpctl(words);
        let said = machine.shown(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}: {said}");
        assert!(said.contains(nearest), "{words}: {said}");
    }
    let said = machine.shown(&machine.srpctl("boot system priority 101 image a config b").stderr);
    assert!(said.contains("a number from 1 to 100 is wanted, or next"), "{said}");
}

#[test]
fn support_gets_the_boot_stack_where_there_is_one() {
    let machine = Machine::new();
    let names = || -> Vec<String> {
        machine.says("--socket /nowhere show support details icsr /here/s.tar.gz");
        let listed =
            Command::new("tar").arg("-tzf").arg(machine.path("s.tar.gz")).output().expect("tar runs");
        let listed = String::from_utf8(listed.stdout).expect("text");
        listed.lines().filter_map(|line| line.rsplit('/').next()).map(str::to_owned).collect()
    };
    assert!(!names().iter().any(|name| name.starts_with("show-boot")));
    machine.install("new");
    let names = names();
    for expected in ["show-boot.txt", "show-boot.json", "show-build.json"] {
        assert!(names.iter().any(|name| name == expected), "{names:?}");
    }
}
