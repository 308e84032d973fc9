//! Every form that the source shows, and what becomes of it.

use std::path::Path;

use srp_core::config::Config;

use super::{Imported, Kind, NotSuch, import};

fn imported(text: &str) -> Imported {
    import(text).expect("a context")
}

/// The notes in short: line, kind, reason.
fn notes(imported: &Imported) -> Vec<String> {
    imported.notes.iter().filter(|note| note.line > 0).map(ToString::to_string).collect()
}

fn left_out(imported: &Imported) -> Vec<usize> {
    imported.notes.iter().filter(|note| note.kind == Kind::LeftOut).map(|note| note.line).collect()
}

/// The result with what the text cannot know filled in, read as `srpd` reads it.
fn checked(imported: &Imported) -> Config {
    let filled = imported
        .configuration
        .replace("# bind-address = \"ADDRESS\"", "bind-address = \"192.0.2.1\"")
        .replace("# peer-ip-address = \"ADDRESS\"", "peer-ip-address = \"192.0.2.2\"");
    Config::from_toml(&filled, Path::new("imported.toml"))
        .unwrap_or_else(|faults| panic!("{filled}\n{faults:?}"))
}

/// A whole chassis: the six steps of the source, in its words and with our addresses.
const CHASSIS: &str = "
configure
  context SRP -noconfirm
    interface srp-link
      ip-address 192.0.2.1/30
    exit
    service-redundancy-protocol
      bind address 192.0.2.1
      Chassis-Mode primary
      PRIORITY 10
      peer-ip-address 192.0.2.2
      hello-interval 10
      dead-interval 30
      delay-interval 5
      dscp-marking control cs6
      monitor bgp context source 10.1.1.2
      monitor bgp context source 2001:db8:1::2 group 2
      checkpoint session nack micro max-response 5
      no checkpoint session nack macro
      default checkpoint session periodic-interval
      audit daily-start-time 06 00
      guard-timer aaa-switchover-timers damping-period 30
    exit
  exit
  port ethernet 17/1
    description to-the-peer
    medium speed 1000 duplex full
    no shutdown
    bind interface srp-link SRP
  exit
  context source
    interface core
      ip address 10.1.1.1 255.255.255.0
      ipv6 address 2001:db8:1::1/64
    #exit
    interface haservice loopback
      ip address 172.17.1.1 255.255.255.255 srp-activate
    #exit
    radius attribute nas-ip-address address 172.17.1.1
    ha-service ha1
      bind address 172.17.1.1
    #exit
    router bgp 65001
      network 172.17.1.1
      network 198.51.100.0/24
      neighbor 10.1.1.2 remote-as 65101
      neighbor 2001:db8:1::2 remote-as 65101
      neighbor 2001:db8:1::2 activate
    exit
  #exit
  context destination
    ip pool dynamic 172.18.0.0 255.255.0.0 public 0 srp-activate
    ip pool static 172.19.0.0 255.255.240.0 static srp-activate
    ip pool some range 172.20.0.10 172.20.0.20 private 3 group-name g address-hold-timer 60
    subscriber default
    exit
  #exit
  bulkstat mode
    no gather-on-standby
  end
";

#[test]
fn cfg_7_a_whole_chassis_becomes_a_configuration_that_is_right() {
    let imported = imported(CHASSIS);
    let config = checked(&imported);
    assert_eq!(config.srp.context, "SRP");
    assert_eq!((config.srp.chassis_mode.to_string().as_str(), config.srp.priority.0), ("Primary", 10));
    assert_eq!(
        (config.srp.hello_interval.to_string(), config.srp.dead_interval.to_string()),
        ("10s".into(), "30s".into())
    );
    assert_eq!(config.srp.guard_timers.aaa_switchover.damping, srp_core::types::Span::secs(30));
    let groups: Vec<_> = config.srp.monitor_bgp.iter().map(|monitor| monitor.group).collect();
    assert_eq!(groups, [None, Some(2)]);
    let names: Vec<_> = config.contexts.iter().map(|context| context.name.as_str()).collect();
    assert_eq!(names, ["SRP", "source", "destination"]);
    let link = &config.contexts[0].interfaces[0];
    assert_eq!(
        (link.name.as_str(), link.shutdown, link.description.as_deref()),
        ("srp-link", false, Some("to-the-peer"))
    );
    let source = &config.contexts[1];
    assert!(source.loopbacks[0].srp_activate);
    assert_eq!(source.loopbacks[0].address.to_string(), "172.17.1.1/32");
    let bgp = source.bgp.as_ref().expect("a router");
    assert_eq!((bgp.local_as, bgp.neighbors.len(), bgp.networks.len()), (65_001, 2, 1));
    let pools: Vec<_> = config.contexts[2].pools.iter().map(|pool| pool.name.as_str()).collect();
    assert_eq!(pools, ["dynamic", "static", "some"]);
    assert!(!config.bulk_statistics.expect("bulkstat mode").gather_on_standby);
}

#[test]
fn bulk_1_bulkstat_mode_becomes_files_with_its_interval_and_its_standby() {
    let text = |lines: &str| format!("context a\n#exit\nbulkstat mode\n{lines}#exit\n");
    let bulk = |lines: &str| checked(&imported(&text(lines))).bulk_statistics.expect("a folder");
    let set = bulk("  sample-interval 5\n  no gather-on-standby\n");
    assert_eq!((set.interval.to_string().as_str(), set.gather_on_standby), ("300s", false));
    let back =
        bulk("  sample-interval 5\n  default sample-interval\n  no gather-on-standby\n  gather-on-standby\n");
    assert_eq!((back.interval, back.gather_on_standby), (srp_core::types::Span::secs(900), true));
    let all = imported(&text("  transfer-interval 15\n  file 1\n  sample-interval 0\n"));
    assert_eq!(left_out(&all), [4, 5, 6]);
    assert!(notes(&all)[0].contains("line 3: to check: bulkstat mode"), "{:#?}", notes(&all));
    assert!(checked(&imported(&(text("") + "no bulkstat mode\n"))).bulk_statistics.is_none());
}

#[test]
fn each_line_without_effect_is_listed_with_its_number_and_reason() {
    let imported = imported(CHASSIS);
    let said = notes(&imported);
    for (number, line) in (1..).zip(CHASSIS.lines()) {
        let without = [
            "checkpoint session nack micro",
            "audit",
            "radius",
            "ha-service",
            "bind address 172",
            "network 172",
            "subscriber",
        ];
        let is_left_out = without.iter().any(|word| line.contains(word)) && !line.contains("no checkpoint");
        assert_eq!(left_out(&imported).contains(&number), is_left_out, "line {number}: {line}\n{said:#?}");
    }
    assert!(
        said.contains(
            &"line 21: left out: audit daily-start-time 06 00: the audit of sessions comes with the sessions"
                .to_owned()
        ),
        "{said:#?}"
    );
}

#[test]
fn what_the_text_cannot_know_is_listed_as_to_be_made() {
    let imported = imported("context srp\n service-redundancy-protocol\n #exit\n#exit\n");
    let whole: Vec<_> = imported.notes.iter().map(|note| (note.line, note.kind)).collect();
    // Two addresses, the keys, and what the reader says of the two that are missing.
    assert_eq!(whole, [(0, Kind::ToCheck); 5]);
    assert!(checked(&imported).contexts.len() == 1);
}

#[test]
fn cfg_8_no_and_default_take_back_what_a_line_before_set() {
    let text = |line: &str| {
        format!(
            "context a\ninterface l loopback\nip address 203.0.113.1/32 srp-activate\nexit\nip pool p 10.0.0.0/8\n\
             router bgp 65001\nrouter-id 192.0.2.1\nneighbor 10.1.1.2 remote-as 65101\nneighbor 10.1.1.2 ebgp-multihop\nexit\n\
             service-redundancy-protocol\nbind address 192.0.2.1\npeer-ip-address 192.0.2.2\npriority 7\n\
             guard-timer srp-redundancy-timers bgp guard-period 90\nnum-internal-switchover-retry 5\n\
             monitor bgp context a 10.1.1.2\n{line}\n"
        )
    };
    let key = |line: &str, key: &str| imported(&text(line)).configuration.contains(key);
    for (line, taken_back) in [
        ("default priority", "priority = 7"),
        ("no bind address", "\nbind-address"),
        ("default guard-timer srp-redundancy-timers bgp guard-period", "guard-period = \"90s\""),
        ("default num-internal-switchover-retry", "num-internal-switchover-retry = 5"),
        ("no monitor bgp context a 10.1.1.2", "[[srp.monitor.bgp]]"),
        ("exit\nno ip pool p", "[[context.pool]]"),
        ("exit\nno interface l", "[[context.loopback]]"),
        ("exit\nno router bgp 65001", "[context.bgp]"),
        ("exit\nrouter bgp 65001\nno neighbor 10.1.1.2", "[[context.bgp.neighbor]]"),
        ("exit\nrouter bgp 65001\nno neighbor 10.1.1.2 ebgp-multihop", "multihop = "),
        ("exit\nno service-redundancy-protocol", "priority = 7"),
    ] {
        assert!(key("", taken_back), "{taken_back}");
        assert!(!key(line, taken_back), "{line}");
    }
}

#[test]
fn six_monitors_of_three_groups() {
    let neighbors = ["10.1.1.16", "10.1.1.17", "10.2.0.1", "10.2.0.2", "2001:db8::1", "2001:db8::2"];
    let routers: Vec<_> =
        neighbors.iter().map(|neighbor| format!("neighbor {neighbor} remote-as 65101\n")).collect();
    let monitor = |(index, neighbor): (usize, &&str)| {
        format!("monitor bgp context PGWin {neighbor} group {}\n", 1 + index / 2)
    };
    let monitors: Vec<_> = neighbors.iter().enumerate().map(monitor).collect();
    let text = format!(
        "context PGWin\nrouter bgp 65001\nrouter-id 192.0.2.1\n{}end\n\
         configure\ncontext srp\nservice-redundancy-protocol\n{}",
        routers.concat(),
        monitors.concat()
    );
    let config = checked(&imported(&text));
    let groups: Vec<_> = config.srp.monitor_bgp.iter().map(|monitor| monitor.group).collect();
    assert_eq!(groups, [1, 1, 2, 2, 3, 3].map(Some));
    // The same without the neighbours: each is named, and nothing that would be refused is written.
    let alone = text.replace("neighbor ", "! ");
    assert_eq!(left_out(&imported(&alone)).len(), 6);
    assert!(checked(&imported(&alone)).srp.monitor_bgp.is_empty());
}

#[test]
fn pool_2_busied_out_pools_are_marked() {
    let text = "context a\nip pool one 10.1.0.0/16\nip pool two 10.2.0.0/16\nbusyout ip pool name two\nbusyout ip pool three\n";
    let imported = imported(text);
    assert_eq!(left_out(&imported), [5]);
    let pools = checked(&imported).contexts.remove(0).pools;
    assert_eq!(pools.iter().map(|pool| pool.busyout).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn two_routers_listen_each_on_its_own_addresses() {
    let router = |name: &str, net: u8| {
        format!(
            "context {name}\ninterface i{net}\nip address 10.{net}.1.1 255.255.255.0\nexit\nrouter bgp 65001\n\
             neighbor 10.{net}.1.2 remote-as 65101\nend\n"
        )
    };
    let config = checked(&imported(&(router("source", 1) + &router("destination", 2))));
    let listens: Vec<_> =
        config.contexts.iter().flat_map(|context| &context.bgp).flat_map(|bgp| &bgp.listen).collect();
    assert_eq!(listens.len(), 2);
}

#[test]
fn a_text_that_is_no_such_configuration_is_refused() {
    for text in ["", "hello", "[srp]\nbind-address = \"192.0.2.1\"\n", "router bgp 65001\n", "\u{0}\u{1}\\\n"]
    {
        assert_eq!(import(text), Err(NotSuch), "{text:?}");
    }
}

#[test]
fn no_cut_of_a_text_makes_the_importer_panic() {
    for from in (0..CHASSIS.len()).step_by(7) {
        for to in (from..CHASSIS.len()).step_by(101) {
            let cut = format!("{}{}", &CHASSIS[..from], &CHASSIS[to..]);
            let _ = import(&cut);
        }
    }
}
