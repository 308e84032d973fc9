//! Services of the machine around `srpd`: each is there once `system.conf` names it.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::vm::appliance::{ADDRESS, Firmware, HOST, SSH_PORT};

use crate::first_boot::{log_in, open, run};
use crate::prepared::done;
use crate::{Bench, entered, first_start};

#[test]
fn ssh_time_and_remote_log_are_there_once_they_are_named_and_ssh_takes_keys_alone() {
    let bench = Bench::new();
    bench.good("v1.bin");
    bench.write(&entered(&["v1.bin"]));
    let key = bench.folder.path().join("operator");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("ssh-keygen is missing: install the Debian package openssh-client").success());
    let flash = bench.flash();
    fs::create_dir(flash.join("etc")).expect("a folder");
    fs::create_dir(flash.join("srp")).expect("a folder");
    fs::copy(key.with_extension("pub"), flash.join("etc/authorized_keys")).expect("copied");
    let settings = format!(
        "hostname = east\nssh-listen = {ADDRESS}   # one address\nntp-server = {HOST}\nsyslog-server = {HOST}:5140\n"
    );
    fs::write(flash.join("etc/system.conf"), settings).expect("written");
    let own = CONFIGURATION.replace("127.0.0.1", ADDRESS).replace("127.0.0.2", "10.0.2.16");
    let interface = format!(
        "{own}\n[[context]]\nname = \"srp\"\n[[context.interface]]\nname = \"eth0\"\naddresses = [\"{ADDRESS}/24\"]\n"
    );
    fs::write(flash.join("srp/srpd.toml"), interface).expect("written");

    let network = done(Netns::create(format!("{}ap", next_prefix())));
    let (log, time) =
        done(network.enter(|| (UdpSocket::bind("127.0.0.1:5140"), UdpSocket::bind("127.0.0.1:123"))));
    let (log, time) = (done(log), done(time));
    for socket in [&log, &time] {
        done(socket.set_read_timeout(Some(Duration::from_mins(2))));
    }
    bench.prepared.disk(&flash, &bench.disk());
    let mut machine = bench.switch_on(Firmware::Uefi, 256, Some(&network));
    first_start(&bench, &mut machine, Firmware::Uefi);
    log_in(&mut machine);
    assert_eq!(run(&mut machine, "hostname"), "east\n");

    // RFC 3164 to the server, RFC 5905 client mode (3) to the other one.
    let mut octets = [0; 2048];
    let (length, _) = log.recv_from(&mut octets).expect("a line of the log");
    assert!(octets[..length].starts_with(b"<"), "{}", String::from_utf8_lossy(&octets[..length]));
    let (length, _) = time.recv_from(&mut octets).expect("a question for the time");
    assert_eq!((length, octets[0] & 7), (48, 3));

    run(&mut machine, "until netstat -lnt | grep -q ':22 '; do sleep 1; done");
    // The log is sent from a port that the kernel chose; nobody reads what comes to it.
    let sender = run(
        &mut machine,
        "ls -l /proc/$(pidof syslogd)/fd | sed -n 's/.*socket:.\\([0-9]*\\).*/\\1/p' | \
         while read -r inode; do grep \" $inode \" /proc/net/udp; done",
    );
    let port = |line: &str| {
        let place = line.split_whitespace().nth(1)?;
        u16::from_str_radix(place.strip_prefix("00000000:")?, 16).ok()
    };
    let sender: Vec<_> = sender.lines().filter_map(port).collect();
    assert_eq!(sender.len(), 1, "{sender:?}");
    let mut expected =
        vec![format!("{ADDRESS}:22"), format!("{ADDRESS}:4493"), format!("0.0.0.0:{}", sender[0])];
    let mut sockets = open(&mut machine);
    expected.sort();
    sockets.sort();
    assert_eq!(sockets, expected);

    let ssh = |options: &[&str]| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", network.name(), "ssh", "-F", "none", "-p", &SSH_PORT.to_string()]);
        command.args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "BatchMode=yes",
        ]);
        command.args(["-o", "ConnectTimeout=60", "-o", "IdentitiesOnly=yes"]).args(options);
        command.args(["root@127.0.0.1", "srpctl show srp info"]).output().expect("ssh starts")
    };
    let with_key = ssh(&["-i", &key.display().to_string()]);
    let said = String::from_utf8_lossy(&with_key.stdout).into_owned();
    assert!(said.contains("Chassis State"), "{said}{}", String::from_utf8_lossy(&with_key.stderr));
    let without = ssh(&["-v", "-o", "PubkeyAuthentication=no"]);
    let refused = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success());
    assert!(
        refused.contains("Authentications that can continue: publickey\r\n")
            || refused.contains("Permission denied (publickey)"),
        "{refused}"
    );
}

/// The configuration of a new machine.
const CONFIGURATION: &str = include_str!("../../../image/appliance/root/usr/lib/srp/srpd.toml");
