//! An hour of simulated time in which the monitors of both chassis fail in turn: how often the pair switches over.

#[allow(dead_code, reason = "shared with the simulator, each uses its part")]
#[path = "sim/mod.rs"]
mod sim;

use std::fmt::Write as _;

use sim::script;

/// What happens on both chassis, a line each: after so many seconds of every cycle, which monitor finds what, where.
struct Cycle {
    seconds: u64,
    steps: &'static [(u64, &'static str)],
}

/// Plays the cycle for an hour behind two quiet minutes; the reasons of the switchovers, in their order.
fn hour(monitors: &str, cycle: &Cycle) -> Vec<String> {
    let mut text = format!("pair east=primary west=backup hello=1s dead=3s monitors={monitors}\n");
    text.push_str("> start both; run 120s\n");
    for _ in 0..3_600 / cycle.seconds {
        let mut at = 0;
        for (second, step) in cycle.steps {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "> run {}s; {step}", second - at);
            at = *second;
        }
        let _ = writeln!(text, "> run {}s", cycle.seconds - at);
    }
    let told = script::play(&text).unwrap_or_else(|broken| panic!("{broken}"));
    let behind = told.lines().skip_while(|line| !line.starts_with("   = "));
    let active = behind.filter_map(|line| line.split_once("Pending-Active -> Active (")).map(|(_, why)| why);
    active.map(|why| why.trim_end_matches(')').to_owned()).collect()
}

#[test]
fn one_hour_of_monitors_failing_in_turn() {
    // BGP of one chassis fails for a minute and comes back; then that of the other one.
    let in_turn = Cycle {
        seconds: 240,
        steps: &[
            (0, "monitor east bgp down"),
            (60, "monitor east bgp up"),
            (120, "monitor west bgp down"),
            (180, "monitor west bgp up"),
        ],
    };
    // Each failure moves the pair once, and nothing else does: fifteen cycles of two.
    assert_eq!(hour("bgp:bgp", &in_turn), vec!["BGP Failure"; 30]);

    // The other one fails before the first is back: overlapping for half a minute.
    let overlapping = Cycle {
        seconds: 240,
        steps: &[
            (0, "monitor east bgp down"),
            (60, "monitor west bgp down"),
            (90, "monitor east bgp up"),
            (180, "monitor west bgp up"),
        ],
    };
    // While both have failed nobody moves; east's return does.
    assert_eq!(hour("bgp:bgp", &overlapping), vec!["BGP Failure"; 30]);

    // AAA has failed for both, for the whole hour: one switchover, and the pair stays.
    let for_ever =
        Cycle { seconds: 3_600, steps: &[(0, "monitor east aaa down"), (0, "monitor west aaa down")] };
    assert_eq!(hour("aaa:aaa,diameter:hss", &for_ever), ["AAA Failure"]);

    // AAA and Diameter fail for both, one after the other: the new Active has both failures and the old one remembers one,
    // so it is tried again; it finds the other one too, and from then on both have two.
    let both_kinds = Cycle {
        seconds: 3_600,
        steps: &[
            (0, "monitor east aaa down"),
            (0, "monitor west aaa down"),
            (600, "monitor east hss down"),
            (600, "monitor west hss down"),
        ],
    };
    assert_eq!(hour("aaa:aaa,diameter:hss", &both_kinds), ["AAA Failure", "Diameter Failure"]);
}

#[test]
fn one_hour_of_flaps_faster_than_the_guard_timers() {
    // AAA of whoever is Active comes and goes every five seconds, and an operator resets the failure each time.
    let flaps = Cycle {
        seconds: 10,
        steps: &[
            (0, "monitor east aaa down; monitor west aaa down"),
            (4, "reset aaa east; reset aaa west"),
            (5, "monitor east aaa up; monitor west aaa up"),
        ],
    };
    // No failure lasts for the damping-period: only those count that begin outside every guard period.
    let moves = hour("aaa:aaa", &flaps);
    assert!(moves.len() <= 3_600 / 60, "{} switchovers", moves.len());
    println!("{} switchovers in an hour of flaps every 10 s", moves.len());
}
