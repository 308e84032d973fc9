//! Points and lengths of time as operators read them.

use srp_core::calendar::date;

/// Wall time in UTC: `2026-11-22 09:30:00.123456 UTC`.
pub fn wall(us: u64) -> String {
    let (seconds, micros) = (us / 1_000_000, us % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06} UTC")
}

/// Wall time in UTC as trap histories have it: `Wed Aug 10 09:45:04 2022`.
pub fn ctime(us: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // 1970-01-01 was a Thursday
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = us / 1_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let name = |names: &[&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let (weekday, month) = (name(&DAYS, days % 7), name(&MONTHS, month - 1));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} {year:04}")
}

/// Time since `since_us` as `show ip bgp summary` of FRR prints it: `01:02:03`, `1d02h03m`, `01w2d03h`; `never` if
/// that is zero.
pub fn age(since_us: u64, now_us: u64) -> String {
    if since_us == 0 {
        return "never".into();
    }
    let seconds = now_us.saturating_sub(since_us) / 1_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match days {
        0 => format!("{hours:02}:{minutes:02}:{:02}", seconds % 60),
        1..=6 => format!("{days}d{hours:02}h{minutes:02}m"),
        _ => format!("{:02}w{}d{hours:02}h", days / 7, days % 7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_follows_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_795_339_800, "2026-11-22 09:30:00"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(wall(seconds * 1_000_000 + 7), format!("{expected}.000007 UTC"));
        }
    }

    #[test]
    fn trap_histories_have_the_day_of_the_week() {
        assert_eq!(ctime(1_660_124_704_000_000), "Wed Aug 10 09:45:04 2022");
        assert_eq!(ctime(0), "Thu Jan 01 00:00:00 1970");
    }

    #[test]
    fn ages_read_like_those_of_frr() {
        for (seconds, expected) in [
            (1, "00:00:01"),
            (86_399, "23:59:59"),
            (86_400, "1d00h00m"),
            (93_784, "1d02h03m"),
            (604_800, "01w0d00h"),
            (788_583, "01w2d03h"),
        ] {
            assert_eq!(age(1, 1 + seconds * 1_000_000), expected);
        }
        assert_eq!(age(0, 5_000_000), "never");
        assert_eq!(age(9_000_000, 5_000_000), "00:00:00", "a clock that was set back");
    }
}
