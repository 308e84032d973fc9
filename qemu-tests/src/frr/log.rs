//! What bgpd writes into its log when a session is lost: the only place that tells the moment to the microsecond. Pure.

use std::net::IpAddr;

/// A session that was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// When: microseconds since 1970 UTC, of the host's wall clock.
    pub wall_us: u64,
    /// The neighbour.
    pub peer: IpAddr,
    /// Why, in bgpd's words: `BFD down received`, `Hold Timer Expired` and the like.
    pub why: String,
}

/// All losses in `text`, the log of a bgpd in UTC with `log timestamp precision 6`.
pub fn losses(text: &str) -> Vec<Loss> {
    text.lines().filter_map(loss).collect()
}

// 2026/11/22 16:05:09.123456 BGP: [M59KS-A3ZXZ] %ADJCHANGE: neighbor 10.1.1.1(east) in vrf default Down BFD down received
fn loss(line: &str) -> Option<Loss> {
    let (_, change) = line.split_once("%ADJCHANGE: neighbor ")?;
    let (peer, rest) = change.split_once(['(', ' '])?;
    let (_, why) = rest.split_once(" Down ")?;
    let mut words = line.split(' ');
    let (date, time) = (words.next()?, words.next()?);
    Some(Loss { wall_us: wall_us(date, time)?, peer: peer.parse().ok()?, why: why.trim().to_owned() })
}

fn wall_us(date: &str, time: &str) -> Option<u64> {
    let [year, month, day] = numbers(date.split('/'))?;
    let (time, fraction) = time.split_once('.')?;
    let [hour, minute, second] = numbers(time.split(':'))?;
    let micros: u64 = if fraction.len() == 6 { fraction.parse().ok()? } else { return None };
    let seconds = days(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000_000 + micros)
}

fn numbers<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<[u64; 3]> {
    let mut next = || parts.next()?.parse().ok();
    Some([next()?, next()?, next()?])
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    // A year that begins in March has its leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let of_years = 365 * year + year / 4 - year / 100 + year / 400;
    (of_years + (153 * month + 2) / 5 + day).checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_has_its_moment_its_neighbour_and_its_cause() {
        let text = "2026/11/22 16:05:09.123456 BGP: [T83RR-8SM5G] bgpd 8.4.4 starting: vty@2605, bgp@<all>:179\n\
            2026/11/22 16:05:10.000001 BGP: [M59KS-A3ZXZ] %ADJCHANGE: neighbor 10.1.1.1(east) in vrf default Up\n\
            2026/11/22 16:06:00.000002 BGP: [M59KS-A3ZXZ] %ADJCHANGE: neighbor 10.1.1.1(east) in vrf default Down BFD down received\n\
            2026/11/22 16:06:01.500000 BGP: [M59KS-A3ZXZ] %ADJCHANGE: neighbor 2001:db8:1:1::1 in vrf default Down Hold Timer Expired\n";
        let found = losses(text);
        let told: Vec<_> = found.iter().map(|loss| (loss.peer.to_string(), loss.why.as_str())).collect();
        let expected = [("10.1.1.1", "BFD down received"), ("2001:db8:1:1::1", "Hold Timer Expired")];
        assert_eq!(told, expected.map(|(peer, why)| (peer.to_owned(), why)));
        assert_eq!(found[1].wall_us - found[0].wall_us, 1_499_998);
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2000, 2, 29), Some(11_016));
        assert_eq!(days(2026, 11, 22), Some(20_779));
    }

    #[test]
    fn a_line_without_microseconds_is_no_moment() {
        assert_eq!(
            losses("2026/11/22 16:06:00 BGP: %ADJCHANGE: neighbor 10.1.1.1(east) in vrf default Down x"),
            []
        );
    }
}
