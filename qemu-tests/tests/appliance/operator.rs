//! An operator at the console: another image is copied, judged, entered, booted after a power cut, and given up again.

use std::time::Duration;

use lab::vm::appliance::{Appliance, Firmware};

use crate::first_boot::log_in;
use crate::prepared::{done, release};
use crate::{Bench, entered, flip, hear, until_good};

/// Longest wait for a command in the guest: some of them read a whole image several times, under emulation.
const LIMIT: Duration = Duration::from_mins(2);

fn run(machine: &mut Appliance, command: &str) -> String {
    done(machine.run(command, LIMIT))
}

/// Waits until this image serves and its slot is marked good, and logs in.
fn serves(machine: &mut Appliance, image: &str) {
    hear(machine, &format!("srp: slot 1: {image}"));
    until_good(machine);
    log_in(machine);
}

#[test]
fn img_3_an_image_that_an_operator_enters_is_booted_after_a_power_cut_and_given_up_by_deleting_its_entry() {
    let bench = Bench::new();
    bench.good("old.bin");
    for name in ["new.bin", "flipped.bin"] {
        release(&bench.prepared.parts, &bench.prepared.key, "the-new-one", &bench.flash().join(name));
    }
    flip(&bench.flash().join("flipped.bin"));

    bench.write(&entered(&["old.bin"]));
    let mut machine = bench.boot(Firmware::Bios, 256);
    serves(&mut machine, "/old.bin");
    // What the loader would not boot is not entered.
    let enter = |name: &str| {
        format!(
            "srpctl boot system priority next image /flash/{name} config /flash/srp/srpd.toml; echo status $?"
        )
    };
    let refused = run(&mut machine, &enter("flipped.bin"));
    assert!(refused.contains("the signature of the file does not hold"), "{refused}");
    assert!(refused.ends_with("status 1\n"), "{refused}");

    let copied = run(&mut machine, "srpctl copy /flash/new.bin /flash/images/new.bin");
    assert!(copied.contains("Its signature came with it"), "{copied}");
    let judged = run(&mut machine, "srpctl show version /flash/images/new.bin");
    assert!(judged.contains("sound: the loader will boot it"), "{judged}");
    let done_so = run(&mut machine, &enter("images/new.bin"));
    assert!(done_so.contains("Boot priority 9 is /flash/images/new.bin"), "{done_so}");
    // The plug is pulled at once: what the command has said is on the disk, for a loader that knows no journal.
    drop(machine);

    let mut machine = bench.switch_on(Firmware::Bios, 256, None);
    serves(&mut machine, "/images/new.bin");
    let version = run(&mut machine, "srpctl show version");
    assert!(version.contains("the-new-one"), "{version}");
    let boot = run(&mut machine, "srpctl show boot");
    assert!(boot.starts_with("Booted:  /flash/images/new.bin with /flash/srp/srpd.toml\n"), "{boot}");
    assert_eq!(boot.matches("good").count(), 2, "{boot}");

    let deleted = run(&mut machine, "srpctl no boot system priority 9");
    assert!(deleted.contains("Boot priority 9 is no more"), "{deleted}");
    let restarting = run(&mut machine, "srpctl reload -noconfirm");
    assert!(restarting.contains("boot priority 10 is next, /flash/old.bin"), "{restarting}");
    serves(&mut machine, "/old.bin");
    let version = run(&mut machine, "srpctl show version");
    assert!(!version.contains("the-new-one") && version.contains("/flash/old.bin"), "{version}");
}
