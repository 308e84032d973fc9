//! An event as a syslog message (RFC 5424), and how a stream frames it. Pure.
//!
//! ```text
//!  <26>1 2026-11-22T09:30:00.004812Z east srpd 812 starSRPSwitchoverOccured [srp@8164 sequence="7" ...] switchover: ...
//! ```
//!
//! The severities are those of RFC 5674, the fields are structured data.

use std::fmt::Write;

use srp_core::events::Entry;

/// Name of our structured data. RFC 5424 section 6.3.2 wants an enterprise number in it: that of the public MIB, whose names
/// the events have.
const DATA: &str = "srp@8164";

/// Who sends.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Name of this host, as the header has it.
    host: String,
    /// Process.
    process: u32,
}

impl Sender {
    /// A host of this name; what is not printable ASCII has no place in the header.
    pub fn new(host: &str, process: u32) -> Self {
        let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
        Self { host: if host.is_empty() { "-".to_owned() } else { host }, process }
    }

    /// The message.
    pub fn message(&self, facility: u8, entry: &Entry) -> String {
        let occurrence = &entry.occurrence;
        let name = occurrence.name;
        let priority = u16::from(facility) * 8 + u16::from(name.severity().syslog());
        let Self { host, process } = self;
        let time = timestamp(entry.wall_us);
        let mut text = format!("<{priority}>1 {time} {host} srpd {process} {name} [{DATA}");
        let mut field = |name: &str, value: &str| {
            let _ = write!(text, " {name}=\"{}\"", escaped(value)); // a String takes everything
        };
        field("sequence", &entry.sequence.to_string());
        field("severity", name.severity().word());
        for (name, value) in occurrence.fields() {
            field(name, &value);
        }
        let detail = occurrence.detail.as_ref().map(|detail| format!(": {}", one_line(detail)));
        let _ = write!(text, "] {}{}", name.says(), detail.unwrap_or_default());
        text
    }
}

/// Counted octets (RFC 6587 section 3.4.1).
pub fn framed(message: &str) -> Vec<u8> {
    format!("{} {message}", message.len()).into_bytes()
}

/// RFC 5424 section 6.3.3: `"`, `\` and `]` are escaped.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in one_line(value).chars() {
        if matches!(c, '"' | '\\' | ']') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// RFC 5424 section 6.2.3, in UTC with microseconds.
fn timestamp(us: u64) -> String {
    let (seconds, micros) = (us / 1_000_000, us % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = srp_core::calendar::date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use srp_core::events::{Name, Occurrence};
    use srp_core::types::{SwitchReason, Time};

    use super::*;

    fn entry(occurrence: Occurrence) -> Entry {
        Entry { sequence: 7, at: Time(0), wall_us: 1_795_339_800_004_812, occurrence }
    }

    #[test]
    fn a_switchover_is_a_critical_message_with_its_fields() {
        let occurrence = Occurrence::new(Name::SrpSwitchoverOccured)
            .in_context("srp")
            .because(SwitchReason::DeadTimerExpiry)
            .saying("Standby -> PendingActive");
        let message = Sender::new("east", 812).message(3, &entry(occurrence));
        let expected = "<26>1 2026-11-22T09:30:00.004812Z east srpd 812 starSRPSwitchoverOccured \
                        [srp@8164 sequence=\"7\" severity=\"major\" context=\"srp\" \
                        reason=\"9 (Dead Timer Expiry)\" detail=\"Standby -> PendingActive\"] \
                        switchover: Standby -> PendingActive";
        assert_eq!(message, expected);
    }

    #[test]
    fn what_a_peer_says_cannot_end_the_structured_data() {
        let occurrence = Occurrence::new(Name::SrpConnDown).saying("a \"quote\", a ] and a \\\nnext");
        let message = Sender::new("", 1).message(16, &entry(occurrence));
        assert!(message.contains(r#"detail="a \"quote\", a \] and a \\ next"]"#), "{message}");
        assert!(message.starts_with("<130>1 ") && message.contains(" - srpd 1 "), "{message}");
    }

    #[test]
    fn streams_count_octets_not_characters() {
        assert_eq!(framed("äb"), "3 äb".as_bytes());
    }
}
