//! The operator guide, done: two bare machines and a router, every block of the page typed in its order, and what it promises
//! looked for. A block that does not work, or that has no purpose here, fails this test.
//!
//! Needs root, qemu-system-x86_64, FRR and Debian's package lists (`apt-get update`); fails naming what is missing.

#[path = "guide/page.rs"]
mod page;
#[path = "guide/site.rs"]
mod site;

use std::path::Path;

use lab::clock::Time;
use lab::node::Node;
use lab::vm::Machine;
use page::{Block, Page, Use};
use site::Site;

/// The service address and the pool of the example.
const SERVICES: [&str; 2] = ["203.0.113.1/32", "172.18.0.0/16"];

/// Types a block where it belongs; what it printed, by machine.
fn typed(site: &mut Site, block: &Block) -> Vec<(String, String)> {
    let on = |machine: &Machine| (machine.name().to_owned(), Site::typed(machine, &block.text));
    match block.used {
        Use::Build => block.commands().iter().for_each(|line| site.build(line)),
        Use::Carry(from) => {
            let from = from.map(|name| site.named(name));
            block.commands().iter().for_each(|line| site.carry(from, line));
        }
        Use::On(name) => return vec![on(site.named(name))],
        Use::OnBoth => return site.chassis().map(on).into(),
        Use::OnActive => return vec![on(site.in_state("Active"))],
        Use::OnStandby => return vec![on(site.in_state("Standby"))],
        Use::Append(name) => {
            let (machine, file) = (site.named(name), Path::new("/etc/srp/srpd.toml"));
            let whole = [machine.get_file(file).expect("the file"), block.text.clone().into_bytes()];
            machine.put_file(file, &whole.join(&b"\n"[..]), 0o644).expect("written");
        }
        Use::Router => site.route(&block.text),
        Use::Elsewhere => {}
    }
    Vec::new()
}

/// `active` serves and the other one stands by, each knows it of the other, in sync, and the router goes there.
fn settled(site: &Site, active: &str) {
    site.await_that(&format!("{active} Active, the other one Standby, in sync"), |site| {
        site.chassis().iter().all(|machine| {
            let info = Site::info(machine);
            let states = if machine.name() == active { ["Active", "Standby"] } else { ["Standby", "Active"] };
            info["chassis_state"] == states[0]
                && info["peer"]["state"] == states[1]
                && info["configuration_state"] == "In sync"
        })
    });
    let neighbor = if active == "east" { "10.1.1.1" } else { "10.1.2.1" };
    site.await_that(&format!("the router to send everything to {active}"), |site| {
        SERVICES.iter().all(|prefix| site.best(prefix).is_some_and(|(peer, _)| peer == neighbor))
    });
}

/// Lines of `show` with their blanks made one.
fn squeezed(text: &str) -> String {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// What the page says of a block beyond that it works.
fn promised(site: &Site, page: &Page, block: &Block, said: &[(String, String)]) {
    let all = |text: &str| said.iter().all(|(_, said)| said.contains(text));
    match (block.section, block.number) {
        (1, 2) => assert!(all("srpd ") && all("srpctl "), "{said:?}"),
        (6 | 12, 1) => settled(site, "east"),
        (7, 0) => {
            let promises = page.promised();
            assert!(promises.len() >= 3, "the table of section 7: {promises:?}");
            for (name, value) in promises {
                let line = format!("{name}: {value}");
                assert!(said.iter().any(|(_, said)| squeezed(said).contains(&line)), "{line}: {said:?}");
            }
            assert!(all("\n10.1."), "a neighbour each: {said:?}");
        }
        (8, 0) => {
            assert!(all("Switchover done in") && all("Active -> Pending-Standby"), "{said:?}");
            assert!(!all("NOT completed"), "{said:?}");
            settled(site, "west");
        }
        // The Standby that begins is east; then west's stop hands over.
        (12, 0) => settled(site, "west"),
        (9, 0) => {
            assert!(all("srp.hello-interval: \"50ms\" -> \"40ms\""), "{said:?}");
            settled(site, "west");
            assert!(site.chassis().iter().all(|machine| Site::info(machine)["hello_interval_ms"] == 40.0));
        }
        (9, 1) => {
            assert!(all("srp.hello-interval: \"40ms\" -> \"50ms\""), "{said:?}");
            settled(site, "west");
            assert!(site.chassis().iter().all(|machine| Site::info(machine)["hello_interval_ms"] == 50.0));
        }
        (9, 2) => {
            for machine in site.chassis() {
                let read = |file: &str| machine.get_file(Path::new(file)).expect("the file");
                assert_eq!(read("/var/lib/srpd.toml.copy"), read("/etc/srp/srpd.toml"));
            }
        }
        (11, 0) => {
            for machine in site.chassis() {
                let list = Site::typed(machine, "tar -tzf /tmp/srp-support.tar.gz");
                assert!(list.contains("show-srp-info.txt") && list.contains("show-events.json"), "{list}");
                let keys = "tar -xzOf /tmp/srp-support.tar.gz | grep -c 'PRIVATE KEY' || true";
                assert_eq!(Site::typed(machine, keys).trim(), "0", "no key leaves the machine");
            }
        }
        _ => {}
    }
}

#[test]
fn a_pair_comes_up_is_handed_over_and_changed_by_the_operator_guide_alone() {
    let page = Page::read();
    let began = Time::now();
    let mut site = Site::new();
    for block in page.blocks() {
        let seconds = Time::now().millis_since(began) / 1000.0;
        println!("{seconds:6.1} s: section {}, block {}: {:?}", block.section, block.number, block.used);
        let said = typed(&mut site, &block);
        promised(&site, &page, &block, &said);
    }
}

#[test]
fn every_section_that_the_walk_looks_at_is_there() {
    let blocks = Page::read().blocks();
    for looked_at in [(1, 2), (6, 1), (7, 0), (8, 0), (9, 0), (9, 1), (9, 2), (11, 0), (12, 0), (12, 1)] {
        assert!(blocks.iter().any(|block| (block.section, block.number) == looked_at), "{looked_at:?}");
    }
    let of = |used: Use| blocks.iter().filter(|block| block.used == used).count();
    assert_eq!((of(Use::Elsewhere), of(Use::Router)), (1, 1));
}
