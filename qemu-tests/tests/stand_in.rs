//! The lab without our daemon.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab::frr::{Frr, config};
use lab::lab::{Lab, Plan};
use lab::namespace::Programs;
use lab::topology::Topology;
use lab::wait::{self, Seen};

#[test]
fn routers_prefer_the_chassis_with_fewer_prepends() {
    let out = tempfile::tempdir().unwrap();
    let programs =
        Programs { srpd: PathBuf::new(), srpctl: PathBuf::new(), lab: env!("CARGO_BIN_EXE_lab").into() };
    let lab =
        Lab::build(Plan { topology: Topology::pair(), out: out.path().to_owned(), programs }, None).unwrap();
    let mut frrs = vec![];
    for (chassis, prepends) in lab.chassis.iter().zip([1, 2]) {
        frrs.push(
            Frr::start(
                Arc::clone(chassis),
                &config::stand_in(&lab.topology, chassis.name(), prepends).unwrap(),
            )
            .unwrap(),
        );
    }
    for router in &lab.routers {
        for service in &lab.topology.services {
            wait::until("x", Duration::from_secs(30), Duration::from_millis(100), || {
                let p = router.frr.paths(service)?;
                if p.0.len() == 2 {
                    Ok(Seen::Done(()))
                } else {
                    Ok(Seen::NotYet(format!("{p:?} {:?}", router.frr.summary()?.not_established())))
                }
            })
            .unwrap();
            println!("{:?}", router.frr.paths(service).unwrap());
        }
        std::fs::write(
            "/tmp/lt/v4.json",
            router.frr.vtysh("show bgp ipv4 unicast 203.0.113.1/32 json").unwrap(),
        )
        .unwrap();
        std::fs::write(
            "/tmp/lt/v6.json",
            router.frr.vtysh("show bgp ipv6 unicast 2001:db8:113::1/128 json").unwrap(),
        )
        .unwrap();
        std::fs::write(
            "/tmp/lt/none.json",
            router.frr.vtysh("show bgp ipv6 unicast 2001:db8:999::1/128 json").unwrap(),
        )
        .unwrap();
        std::fs::write("/tmp/lt/sum.json", router.frr.vtysh("show bgp summary json").unwrap()).unwrap();
        println!(
            "{}",
            String::from_utf8_lossy(
                &std::process::Command::new("sh")
                    .args([
                        "-c",
                        &format!(
                            "ip -n {0} route; ip -n {0} -6 route; ip -n {0} -j route get 203.0.113.1",
                            router.node.netns().name()
                        )
                    ])
                    .output()
                    .unwrap()
                    .stdout
            )
        );
    }
    for c in &lab.chassis {
        let t = std::time::Instant::now();
        c.power_off().unwrap();
        println!("off {:?}", t.elapsed());
    }
}
