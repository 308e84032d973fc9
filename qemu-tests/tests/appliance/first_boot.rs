//! What a new machine is: keys of its own, a configuration that talks to no one, no port that is not named.

use std::time::Duration;

use lab::vm::appliance::{Appliance, Firmware};

use crate::prepared::done;
use crate::{Bench, entered, first_start, hear};

/// Longest wait for a command in the guest.
pub const LIMIT: Duration = Duration::from_mins(1);

/// Runs a command at the console; what it printed.
pub fn run(machine: &mut Appliance, command: &str) -> String {
    done(machine.run(command, LIMIT))
}

/// Logs in once the machine has said its last word on the console.
pub fn log_in(machine: &mut Appliance) {
    done(machine.type_line(""));
    done(machine.log_in(LIMIT));
}

/// Local addresses of all sockets that wait for somebody, TCP and UDP.
pub fn open(machine: &mut Appliance) -> Vec<String> {
    let table = run(machine, "netstat -lntu | tail -n +3");
    table.lines().filter_map(|line| Some(line.split_whitespace().nth(3)?.to_owned())).collect()
}

#[test]
fn a_new_machine_has_keys_of_its_own_and_no_port_open_that_its_configuration_does_not_name() {
    let bench = Bench::new();
    bench.good("v1.bin");
    bench.write(&entered(&["v1.bin"]));
    let mut machine = bench.boot(Firmware::Bios, 128);
    first_start(&bench, &mut machine, Firmware::Bios);
    log_in(&mut machine);

    // srp.bind-address and srp.port.
    assert_eq!(open(&mut machine), ["127.0.0.1:4493"]);
    let files = run(&mut machine, "cd /flash && stat -c '%a %n' etc/* srp srp/* srp/keys/*; cd");
    for expected in [
        "600 etc/authorized_keys",
        "600 etc/shadow",
        "600 etc/system.conf",
        "700 srp",
        "600 srp/srpd.toml",
        "600 srp/keys/chassis.key",
        "644 srp/keys/chassis.crt",
    ] {
        assert!(files.lines().any(|line| line == expected), "no {expected:?} in\n{files}");
    }
    assert_eq!(run(&mut machine, "touch /etc/x 2>&1; touch /usr/x 2>&1").matches("Read-only").count(), 2);
    assert!(run(&mut machine, "srpctl show srp info").contains("Chassis State"));
    let rights =
        run(&mut machine, "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$(pidof srpd)/status");
    for line in [
        "Uid:\t200\t200\t200\t200",
        "CapEff:\t0000000000807400",
        "CapBnd:\t0000000000807400",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(rights.contains(line), "no {line:?} in\n{rights}");
    }
    assert!(run(&mut machine, "ps").contains("watchdog -T 30"));
    assert!(run(&mut machine, "logread").contains("kernel"));
    let memory =
        run(&mut machine, "free -k; grep MemAvailable /proc/meminfo; grep VmRSS /proc/$(pidof srpd)/status");
    println!("memory after the start, 128 MiB machine:\n{memory}");
    println!("{}", run(&mut machine, "cat /run/boot-times; df -k"));
    // The health check asks where the configuration says, and a key that root makes is the daemon's to read.
    let elsewhere = "printf '[control]\\nsocket = \"/run/srp/other.sock\"\\n' >>/flash/srp/srpd.toml";
    run(&mut machine, elsewhere);
    run(&mut machine, "srpctl keygen --out /flash/srp/keys other");
    let owner = run(&mut machine, "stat -c '%U %a' /flash/srp/keys/other.key");
    assert_eq!(owner.trim(), "srp 600");
    let fingerprint = run(&mut machine, "sha256sum /flash/srp/keys/*");
    done(machine.type_line("reboot"));

    // What was made is kept, and the slot, which is good now, is booted without counting.
    let [loader, kernel, ready] =
        ["srp: loader", "srp: kernel", "srpd ready after"].map(|word| hear(&mut machine, word));
    println!("started again: loader {loader:.1?}, kernel {kernel:.1?}, srpd ready {ready:.1?}");
    hear(&mut machine, "srp-boot: boot entry");
    log_in(&mut machine);
    assert_eq!(run(&mut machine, "sha256sum /flash/srp/keys/*"), fingerprint);
    assert!(run(&mut machine, "srpctl --socket /run/srp/other.sock show srp info").contains("Chassis State"));
}
