//! Installing on a real ext4, read as the loader reads it: without its journal.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use image::appliance::Parts;
use image::boot::{Block, BootFile, FlashPath, Priority};
use image::bundle::{self, Version, signature_of};
use image::disk::{Volume, read_as_loader};
use image::flash::{At, Entered, Flash, FlashError, NewEntry, Step};
use image::signature::{Keys, SigningKey, keygen};

fn run(program: &str, package: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} ({package}): {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// A file system in a file, mounted; needs root, as the whole suite does.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new(octets: u64) -> Self {
        let disk = Self { folder: tempfile::tempdir().expect("a folder") };
        File::create(disk.device()).and_then(|file| file.set_len(octets)).expect("a file");
        run("mke2fs", "e2fsprogs", &["-q", "-t", "ext4", text(&disk.device())]);
        fs::create_dir(disk.flash()).expect("a folder");
        run("mount", "mount", &["-o", "loop", text(&disk.device()), text(&disk.flash())]);
        disk
    }

    fn mount_again_read_only(&self) {
        run("mount", "mount", &["-o", "remount,ro", text(&self.flash())]);
    }

    fn device(&self) -> PathBuf {
        self.folder.path().join("disk.img")
    }

    fn flash(&self) -> PathBuf {
        self.folder.path().join("flash")
    }

    /// What the disk has now, with what is in no journal: the file as a power cut would leave it.
    fn blind(&self) -> Blind {
        let copy = tempfile::NamedTempFile::new().expect("a file");
        fs::copy(self.device(), copy.path()).expect("copied");
        Blind(copy)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.flash()).status();
    }
}

/// A disk after a power cut.
struct Blind(tempfile::NamedTempFile);

impl Blind {
    /// A file as the loader reads it.
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        read_as_loader(self.0.path(), Volume::Whole, path).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What the loader would find in the boot stack.
    fn images(&self) -> Vec<String> {
        let octets = self.read("/boot/boot.sys").expect("a boot stack");
        let block = Block::decode(&octets).expect("a whole boot stack");
        block.stack.entries().iter().map(|entry| entry.image.to_string()).collect()
    }

    /// Mounts it, which replays the journal, and reads the boot stack as Linux does.
    fn images_for_linux(&self) -> Vec<String> {
        let place = tempfile::tempdir().expect("a folder");
        run("mount", "mount", &["-o", "loop", text(self.0.path()), text(place.path())]);
        let block = BootFile::read(place.path());
        let whole = block.as_ref().map(|block| {
            let entries = block.stack.entries().iter();
            entries
                .map(|entry| (entry.image.to_string(), entry.image.on(place.path()).exists()))
                .collect::<Vec<_>>()
        });
        let whole = whole.map_err(ToString::to_string);
        run("umount", "mount", &[text(place.path())]);
        let whole = whole.expect("a whole boot stack");
        assert!(whole.iter().all(|(_, there)| *there), "{whole:?}");
        whole.into_iter().map(|(image, _)| image).collect()
    }
}

/// A key and two images, made once for all tests of this process.
struct Release {
    folder: tempfile::TempDir,
    keys: Keys,
}

fn release() -> &'static Release {
    static RELEASE: OnceLock<Release> = OnceLock::new();
    RELEASE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let key = SigningKey::read(&keygen(folder.path(), "k", 1_760_000_000).expect("openssl makes a key"));
        let key = key.expect("a key");
        let file = |name: &str, octets: usize| {
            let content: Vec<u8> = (0..octets).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
            fs::write(folder.path().join(name), content).expect("a file");
            folder.path().join(name)
        };
        let parts =
            Parts { kernel: file("v", 300_000), initrd: file("i", 100_000), root: file("r", 1_500_000) };
        for build in ["old", "new"] {
            let recipe = parts.recipe(Version::ours(), Version::ours(), build);
            bundle::write(&recipe, &key, &folder.path().join(format!("{build}.bin"))).expect("an image");
        }
        fs::write(folder.path().join("c.toml"), "[srp]\n").expect("a configuration");
        Release { keys: key.public(), folder }
    })
}

fn path(name: &str) -> FlashPath {
    FlashPath::new(name).expect("a path")
}

/// Brings an image, its signature and the configuration, and enters it before all others.
fn install(flash: &Path, name: &str, mut watch: impl FnMut(Step)) -> Result<Entered, FlashError> {
    let held = Flash::hold(flash)?;
    let from = release().folder.path().join(format!("{name}.bin"));
    let (image, config) = (path(&format!("/{name}.bin")), path("/c.toml"));
    held.copy_in(&signature_of(&from), &path(&format!("/{name}.bin.sig")), &mut watch)?;
    held.copy_in(&from, &image, &mut watch)?;
    held.copy_in(&release().folder.path().join("c.toml"), &config, &mut watch)?;
    let new = NewEntry { image: &image, config: &config, at: At::First };
    held.enter(new, &release().keys, Version::ours(), watch)
}

#[test]
fn a_power_cut_after_any_step_leaves_a_stack_whose_images_the_loader_finds_whole() {
    let disk = Disk::new(24 << 20);
    install(&disk.flash(), "old", |_| {}).expect("installed");
    assert_eq!(disk.blind().images(), ["/old.bin"]);
    let mut cuts = Vec::new();
    let entered = install(&disk.flash(), "new", |step| cuts.push((step, disk.blind()))).expect("installed");
    assert_eq!((entered.priority.number(), entered.manifest.build.as_str()), (9, "new"));
    let file = |name: &str| fs::read(release().folder.path().join(name)).expect("it was made");
    let (mut renamed, mut entered) = (0, false);
    for (step, cut) in &cuts {
        let images = cut.images();
        for image in &images {
            for file_of_it in [image.clone(), format!("{image}.sig")] {
                let whole = cut.read(&file_of_it) == Some(file(&file_of_it[1..]));
                assert!(whole, "{step:?}: the loader does not find {file_of_it} whole");
            }
        }
        renamed += usize::from(*step == Step::Renamed);
        entered |= *step == Step::Entered;
        assert_eq!(images.len(), if entered { 2 } else { 1 }, "{step:?}");
        assert_eq!(cut.images_for_linux(), images, "{step:?}");
    }
    assert_eq!((cuts.len(), renamed, entered), (14, 3, true));
    assert_eq!(disk.blind().images(), ["/new.bin", "/old.bin"]);
}

#[test]
fn the_trap_is_real_a_synchronised_and_renamed_file_is_not_there_for_the_loader() {
    let disk = Disk::new(24 << 20);
    install(&disk.flash(), "old", |_| {}).expect("installed");
    let place = |name: &str| disk.flash().join(name);
    let mut file = File::create(place("a.partial")).expect("a file");
    file.write_all(b"new").and_then(|()| file.sync_all()).expect("synchronised");
    fs::rename(place("a.partial"), place("a")).expect("renamed");
    File::open(disk.flash()).and_then(|folder| folder.sync_all()).expect("synchronised");
    assert_eq!(disk.blind().read("/a"), None, "the textbook's way is not enough");
    Flash::hold(&disk.flash()).and_then(|held| held.synchronise()).expect("synchronised");
    assert_eq!(disk.blind().read("/a").as_deref(), Some(&b"new"[..]));
    // And in place, as the boot stack is written, a file is seen after it was synchronised by itself.
    let held = BootFile::hold(&disk.flash()).and_then(|mut held| {
        let mut block = held.block()?;
        block.stack.renumber();
        block.stack.mark_good(Priority::new(10).expect("1 to 100")).expect("there is such an entry");
        held.write(&block)
    });
    held.expect("written");
    let seen = Block::decode(&disk.blind().read("/boot/boot.sys").expect("a boot stack"));
    assert!(seen.expect("a whole boot stack").stack.entries()[0].good);
}

#[test]
fn img_1_a_full_flash_is_refused_before_anything_is_written() {
    let disk = Disk::new(4 << 20);
    install(&disk.flash(), "old", |_| {}).expect("there is room for one");
    let before = disk.blind().images();
    let refused = install(&disk.flash(), "new", |_| {}).expect_err("there is no room for two").to_string();
    assert!(refused.contains("octets and") && refused.contains("see `directory /flash`"), "{refused}");
    assert!(!disk.flash().join("new.bin").exists());
    assert_eq!(disk.blind().images(), before);
}

#[test]
fn img_1_a_read_only_flash_is_refused_with_what_to_do() {
    let disk = Disk::new(8 << 20);
    install(&disk.flash(), "old", |_| {}).expect("installed");
    disk.mount_again_read_only();
    let refused = install(&disk.flash(), "new", |_| {}).expect_err("it is read-only").to_string();
    assert!(refused.contains("Read-only file system") && refused.contains("remount it with"), "{refused}");
    let change: Result<(), FlashError> = image::boot::file::change(&disk.flash(), |_| Ok(()));
    let refused = change.expect_err("it is read-only").to_string();
    assert!(refused.contains("boot.sys: Read-only file system"), "{refused}");
    assert_eq!(BootFile::read(&disk.flash()).expect("it can be read").stack.entries().len(), 1);
}

#[test]
fn two_at_once_are_one_and_left_overs_of_a_power_cut_go() {
    let flash = tempfile::tempdir().expect("a folder");
    let held = Flash::hold(flash.path()).expect("held");
    fs::write(held.incoming(&path("/x/half.bin")).expect("a place"), "half").expect("written");
    let refused = Flash::hold(flash.path()).expect_err("it is held").to_string();
    assert!(refused.starts_with("another command is writing to "), "{refused}");
    drop(held);
    assert!(flash.path().join("boot/incoming/x~half.bin").exists(), "as a power cut leaves it");
    drop(Flash::hold(flash.path()).expect("held"));
    assert!(!flash.path().join("boot/incoming").exists());
    let refused = Flash::hold(&flash.path().join("nowhere")).expect_err("no folder").to_string();
    assert!(refused.contains("mount the data partition there"), "{refused}");
}

#[test]
fn what_the_boot_stack_boots_is_not_overwritten_and_what_is_not_sound_is_not_entered() {
    let flash = tempfile::tempdir().expect("a folder");
    let flash = flash.path();
    install(flash, "old", |_| {}).expect("installed");
    let again = install(flash, "old", |_| {}).expect_err("it is in use").to_string();
    assert!(again.starts_with(&format!("{} is what boot", flash.join("old.bin.sig").display())), "{again}");
    assert!(again.contains("is what boot priority 10 boots: copy to another name"), "{again}");

    let image = path("/bad.bin");
    let mut octets = fs::read(release().folder.path().join("new.bin")).expect("an image");
    octets[400_000] ^= 1;
    fs::write(image.on(flash), octets).expect("written");
    fs::copy(release().folder.path().join("new.bin.sig"), signature_of(&image.on(flash))).expect("copied");
    let held = Flash::hold(flash).expect("held");
    let new = |config| NewEntry { image: &image, config, at: At::First };
    let (there, nowhere) = (path("/c.toml"), path("/none.toml"));
    let refused = held.enter(new(&there), &release().keys, Version::ours(), |_| {});
    let refused = refused.expect_err("it is damaged").to_string();
    assert!(
        refused.contains("the signature of the file does not hold") && refused.contains("SHA-256"),
        "{refused}"
    );
    let refused = held.enter(new(&nowhere), &release().keys, Version::ours(), |_| {});
    assert!(refused.expect_err("no such file").to_string().contains("copy the configuration there first"));
    assert_eq!(BootFile::read(flash).expect("a boot stack").stack.entries().len(), 1);
}
