//! What the host itself drops. Packets between namespaces of one host wait in a queue per processor that all namespaces
//! share (`net.core.netdev_max_backlog`); when something else on the host fills it, a lab's packets are dropped with
//! the rest, and no router and no chassis can do anything about it.

/// Packets that this host has dropped from full queues since it started, all namespaces together.
pub fn dropped() -> u64 {
    // Without the file nothing is known to have been dropped.
    total(&std::fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default())
}

/// The sum of the second column of `softnet_stat`, which is hexadecimal with a line per processor.
fn total(text: &str) -> u64 {
    let of_line = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    text.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_all_processors_are_added_up() {
        assert_eq!(
            total("00c34c8e 00008893 00000002 00000000\n00a4fa23 0000000f 00000000 00000000\n"),
            0x88a2
        );
        assert_eq!(total(""), 0);
    }
}
