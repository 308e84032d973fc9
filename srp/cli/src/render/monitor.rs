//! `show srp monitor`.

use srp_core::api::BgpMonitor;

use super::table::{Edge, table};
use super::time::age;

pub fn monitors(monitors: &[BgpMonitor], now_us: u64) -> String {
    if monitors.is_empty() {
        return "No monitors are configured.\n".into();
    }
    let header = [
        ("Type", Edge::Left),
        ("Context", Edge::Left),
        ("Address", Edge::Left),
        ("Group", Edge::Right),
        ("State", Edge::Left),
        ("Since", Edge::Right),
    ];
    let rows: Vec<_> = monitors
        .iter()
        .map(|monitor| {
            vec![
                "bgp".to_owned(),
                monitor.context.clone(),
                monitor.address.clone(),
                monitor.group.map_or("-".to_owned(), |group| group.to_string()),
                if monitor.up { "Up" } else { "Down" }.to_owned(),
                age(monitor.since_us, now_us),
            ]
        })
        .collect();
    let up = monitors.iter().filter(|monitor| monitor.up).count();
    format!("{}\nTotal monitors {}, up {up}\n", table(&header, &rows), monitors.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_monitor() {
        let monitor = |address: &str, group, up, since_us| BgpMonitor {
            context: "destination".into(),
            address: address.into(),
            group,
            up,
            since_us,
        };
        let all = [monitor("10.1.1.2", None, true, 1), monitor("2001:db8:1:1::1", Some(2), false, 0)];
        let expected = "\
Type  Context      Address          Group  State     Since
bgp   destination  10.1.1.2             -  Up     00:00:09
bgp   destination  2001:db8:1:1::1      2  Down      never

Total monitors 2, up 1
";
        assert_eq!(monitors(&all, 9_000_001), expected);
        assert_eq!(monitors(&[], 0), "No monitors are configured.\n");
    }
}
