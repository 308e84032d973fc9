//! Images, sound and damaged; signatures beside gpg, both ways.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::appliance::Parts;
use image::bundle::{self, BundleError, MEMBERS, Report, Version, examine, signature_of};
use image::signature::{KeyFiles, Keys, SigningKey, keygen};

/// Now, roughly: gpg takes no key out of the future.
const CREATED: u32 = 1_760_000_000;

/// A folder with a key, three members and an image of them.
struct Release {
    folder: tempfile::TempDir,
    key: SigningKey,
}

impl Release {
    fn new() -> Self {
        Self::of("0.1.0", "0.0.0")
    }

    fn of(version: &str, minimum: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = keygen(folder.path(), "release", CREATED).expect("openssl makes a key");
        let release = Self { key: SigningKey::read(&files).expect("a key"), folder };
        for (name, octets) in [("vmlinuz", 70_000), ("initrd.img", 3_000), ("rootfs.squashfs", 200_001)] {
            let content: Vec<u8> = (0..octets).map(|octet: u32| octet.to_le_bytes()[0]).collect();
            fs::write(release.file(name), content).expect("a file");
        }
        release.bundle(&release.image(), version, minimum);
        release
    }

    fn bundle(&self, out: &Path, version: &str, minimum: &str) {
        let [version, minimum] = [version, minimum].map(|text| text.parse().expect("a release"));
        let recipe = Parts::in_folder(self.folder.path()).recipe(version, minimum, "test");
        bundle::write(&recipe, &self.key, out).expect("written");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn image(&self) -> PathBuf {
        self.file("a.bin")
    }

    fn octets(&self) -> Vec<u8> {
        fs::read(self.image()).expect("an image")
    }

    /// Replaces one text by another of the same length, and signs the file anew.
    fn rewrite(&self, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        let mut octets = self.octets();
        let at =
            octets.windows(from.len()).position(|window| window == from.as_bytes()).expect("it is there");
        octets[at..at + to.len()].copy_from_slice(to.as_bytes());
        self.replace(octets);
    }

    fn replace(&self, octets: Vec<u8>) {
        fs::write(self.image(), &octets).expect("written");
        fs::write(signature_of(&self.image()), self.key.sign(octets).expect("signed")).expect("written");
    }

    fn examine(&self) -> Report {
        examine(&self.image(), &self.key.public(), running())
    }

    fn names(&self) -> Vec<&'static str> {
        self.examine().faults.iter().map(BundleError::name).collect()
    }
}

fn running() -> Version {
    "0.1.0".parse().expect("a release")
}

/// gpg with a home of its own.
struct Gpg(tempfile::TempDir);

impl Gpg {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(home.path(), private).expect("a mode");
        Self(home)
    }

    /// Whether it succeeded, and what it said.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(self.0.path()).args(["--batch", "--yes", "--pinentry-mode", "loopback"]);
        let output = gpg.args(["--passphrase", ""]).args(arguments).output();
        let output = output.expect("gpg runs: install the Debian package gpg");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn must(&self, arguments: &[&str]) {
        let (success, said) = self.run(arguments);
        assert!(success, "gpg {arguments:?}: {said}");
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // Its agent ends by itself once the folder is gone, and sooner when asked.
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).status();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn gpg_verifies_what_we_sign_and_finds_what_was_changed() {
    let release = Release::new();
    let gpg = Gpg::new();
    gpg.must(&["--import", text(&release.file("release.gpg"))]);
    let (image, signature) = (release.image(), signature_of(&release.image()));
    let (good, said) = gpg.run(&["--verify", text(&signature), text(&image)]);
    assert!(good && said.contains("Good signature from \"release (srp-appliance images)\""), "{said}");

    let mut octets = release.octets();
    octets[100_000] ^= 1;
    fs::write(&image, octets).expect("written");
    let (good, said) = gpg.run(&["--verify", text(&signature), text(&image)]);
    assert!(!good && said.contains("BAD signature"), "{said}");
}

#[test]
fn we_verify_what_gpg_signs_with_either_digest_of_the_loader() {
    let gpg = Gpg::new();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    gpg.must(&["--quick-generate-key", "somebody", "rsa2048", "sign", "never"]);
    gpg.must(&["--output", text(&path("ring")), "--export"]);
    let keys = Keys::read(&path("ring")).expect("a key");
    fs::write(path("a"), "content").expect("written");
    for digest in ["SHA256", "SHA512"] {
        let (file, signature) = (path("a"), path("a.sig"));
        gpg.must(&["--digest-algo", digest, "--output", text(&signature), "--detach-sign", text(&file)]);
        let signature = fs::read(&signature).expect("a signature");
        assert_eq!(keys.verify(&b"content"[..], &signature).expect("it holds"), keys.ids()[0], "{digest}");
        let refused = keys.verify(&b"contenT"[..], &signature).expect_err("it was changed").to_string();
        assert_eq!(refused, format!("what is there is not what key {} signed", keys.ids()[0]));
        let none = Keys::default().verify(&b"content"[..], &signature).expect_err("nobody is trusted");
        assert!(none.to_string().ends_with("the loader knows no key"), "{none}");
    }
    gpg.must(&["--digest-algo", "SHA1", "--output", text(&path("a.sig")), "--detach-sign", text(&path("a"))]);
    let refused = keys.verify(&b"content"[..], &fs::read(path("a.sig")).expect("a signature"));
    let refused = refused.expect_err("SHA-1 is refused").to_string();
    assert!(refused.starts_with("its digest is 2, the loader takes SHA-256"), "{refused}");
    gpg.must(&["--armor", "--output", text(&path("a.sig")), "--detach-sign", text(&path("a"))]);
    let refused = keys.verify(&b"content"[..], &fs::read(path("a.sig")).expect("a signature"));
    assert!(refused.expect_err("armor is refused").to_string().contains("without --armor"));
}

#[test]
fn a_key_ring_of_two_takes_what_either_signed_so_that_a_key_can_be_replaced() {
    let (old, new) = (Release::new(), Release::new());
    let ring = |release: &Release| fs::read(release.file("release.gpg")).expect("a key ring");
    let both = Keys::decode(&[ring(&old), ring(&new)].concat());
    assert_eq!(both.ids(), [old.key.public().ids(), new.key.public().ids()].concat());
    for release in [&old, &new] {
        let report = examine(&release.image(), &both, running());
        assert!(report.is_sound(), "{:?}", report.faults);
    }
    assert!(!examine(&new.image(), &old.key.public(), running()).is_sound());
}

#[test]
fn the_same_members_and_key_give_the_same_octets() {
    let release = Release::new();
    let again = release.file("b.bin");
    release.bundle(&again, "0.1.0", "0.0.0");
    assert_eq!(release.octets(), fs::read(&again).expect("an image"));
    let signature = |image: &Path| fs::read(signature_of(image)).expect("a signature");
    assert_eq!(signature(&release.image()), signature(&again));
}

#[test]
fn img_2_a_sound_image_says_what_it_is_and_where_its_members_lie() {
    let release = Release::new();
    let report = release.examine();
    assert!(report.is_sound() && report.loader_boots(), "{:?}", report.faults);
    assert_eq!(report.signer, Some(release.key.public().ids()[0]));
    let bundle = report.bundle.expect("a bundle");
    assert_eq!((bundle.manifest.version, bundle.manifest.build.as_str()), (running(), "test"));
    let octets = release.octets();
    for name in ["vmlinuz", "initrd.img", "rootfs.squashfs"] {
        let place = bundle.place(name).expect("a member");
        let range =
            usize::try_from(place.offset).unwrap()..usize::try_from(place.offset + place.size).unwrap();
        assert_eq!(octets[range], fs::read(release.file(name)).expect("the member"), "{name}");
    }
    let listed = Command::new("tar").arg("-tf").arg(release.image()).output().expect("tar runs");
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert_eq!(listed.lines().collect::<Vec<_>>(), MEMBERS);
}

#[test]
fn img_2_one_changed_octet_anywhere_is_found_and_the_loader_would_not_boot_it() {
    let release = Release::new();
    let octets = release.octets();
    let places: Vec<_> = bundle::read(&release.image()).expect("an image").places().collect();
    let mut places_of_damage = vec![octets.len() - 1, octets.len() - 1024];
    for (_, place) in &places {
        let (start, size) = (usize::try_from(place.offset).unwrap(), usize::try_from(place.size).unwrap());
        let header = start - 512;
        // Name, size and an unused part of the header; both ends and the middle of the content; the padding.
        places_of_damage.extend([
            header,
            header + 130,
            header + 510,
            start,
            start + size / 2,
            start + size - 1,
        ]);
        places_of_damage.extend((size % 512 != 0).then_some(start + size));
    }
    for at in places_of_damage {
        let mut damaged = octets.clone();
        damaged[at] ^= 4;
        fs::write(release.image(), damaged).expect("written");
        let report = release.examine();
        assert!(!report.loader_boots() && report.signer.is_none(), "octet {at}: {:?}", report.faults);
    }
}

#[test]
fn members_are_compared_also_where_the_file_was_signed_after_they_were_changed() {
    let release = Release::new();
    let places: Vec<_> = bundle::read(&release.image()).expect("an image").places().collect();
    for (name, place) in places.into_iter().skip(1) {
        let mut damaged = release.octets();
        damaged[usize::try_from(place.offset + place.size / 2).unwrap()] ^= 1;
        let before = release.octets();
        release.replace(damaged);
        let report = release.examine();
        let said: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
        assert!(said[0].contains(&format!("{name} is not what its manifest says (SHA-256 ")), "{said:?}");
        let signed = name != "rootfs.squashfs";
        assert_eq!(report.faults.iter().any(|fault| fault.name() == "signature"), signed, "{name}: {said:?}");
        release.replace(before);
    }
}

#[test]
fn img_2_each_damage_has_its_own_error_with_file_and_remedy() {
    let release = Release::new();
    let whole = release.octets();
    let check = |expected: &[&str], parts: &[&str]| {
        let report = release.examine();
        let names: Vec<_> = report.faults.iter().map(BundleError::name).collect();
        assert_eq!(names, expected, "{:?}", report.faults);
        let said: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
        for part in parts {
            assert!(said.iter().any(|said| said.contains(part)), "{said:?}: {part}");
        }
        assert!(said.iter().all(|said| said.contains("a.bin") && said.contains("; ") || said.contains(": ")));
        release.replace(whole.clone());
    };
    for length in [0, 511, 2_000, 60_000, 150_000, whole.len() - 512] {
        fs::write(release.image(), &whole[..length]).expect("written");
        check(
            &["signature", "truncated"],
            &["the signature of the file does not hold", "copy it again, in binary mode"],
        );
    }
    fs::write(release.image(), [&whole[..], b"x"].concat()).expect("written");
    check(&["signature", "trailing"], &[&format!("goes on behind its end at octet {}", whole.len())]);
    fs::remove_file(signature_of(&release.image())).expect("it was there");
    check(&["unsigned"], &["a.bin.sig is missing; copy it there too"]);
    let other = Release::new();
    fs::write(signature_of(&release.image()), other.key.sign(whole.clone()).expect("signed"))
        .expect("written");
    check(&["signature"], &[&format!("it is by key {}", other.key.public().ids()[0])]);
    fs::write(signature_of(&release.image()), "hello").expect("written");
    check(&["signature"], &["it is no binary OpenPGP signature"]);
    release.rewrite("x86_64", "armv7l");
    check(&["architecture"], &["is for armv7l machines, this is x86_64"]);
    release.rewrite("\"srp-appliance\"", "\"some-appliance\"".get(..15).expect("text"));
    assert_eq!(release.names()[0], "manifest", "a text without its end");
    release.replace(whole.clone());
    release.rewrite("srp-appliance", "sip-appliance");
    check(&["product"], &["is an image of sip-appliance, this is srp-appliance"]);
    release.rewrite("\"format\": 1", "\"format\": 2");
    check(&["format"], &["has format 2, this release reads 1"]);
    release.replace(b"MZ, some other kind of file".repeat(100));
    check(&["no-image"], &["octet 0 is no header of a ustar file", "name a .bin file"]);
}

#[test]
fn releases_that_cannot_follow_each_other_are_refused() {
    for (version, minimum, expected) in [
        ("0.2.0", "0.1.0", None),
        ("0.1.9", "0.0.0", None),
        ("0.0.7", "0.0.0", None),
        ("0.3.0", "0.2.0", Some("release 0.3.0, too new for 0.1.0: it follows 0.2.0 and later")),
    ] {
        let release = Release::of(version, minimum);
        let said: Vec<_> = release.examine().faults.iter().map(ToString::to_string).collect();
        match expected {
            None => assert!(said.is_empty(), "{version}: {said:?}"),
            Some(expected) => assert!(said[0].contains(expected), "{version}: {said:?}"),
        }
    }
    let old = Release::new();
    let report = examine(&old.image(), &old.key.public(), "0.3.0".parse().expect("a release"));
    assert_eq!(report.faults.iter().map(BundleError::name).collect::<Vec<_>>(), ["too-old"]);
    assert!(report.loader_boots() && !report.is_sound());
}

#[test]
fn keys_are_never_overwritten_and_their_halves_belong_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = |name: &str| keygen(folder.path(), name, CREATED);
    let first = made("a").expect("a key");
    let mode = fs::metadata(&first.private).expect("it is there").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    assert!(made("a").expect_err("it exists").to_string().contains("is never overwritten"));
    assert!(made("../b").expect_err("no name").to_string().contains("cannot be the name"));
    let second = made("b").expect("a key");
    let mixed = KeyFiles { public: second.public, private: first.private };
    let refused = SigningKey::read(&mixed).err().expect("halves of two keys").to_string();
    assert!(refused.contains("is not the public half of"), "{refused}");
}
