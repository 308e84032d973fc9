//! Durations, which always carry their unit.

use serde_json::{Value, json};
use toml::de::DeValue;

use super::{Kind, text};
use crate::config::fault::Fault;
use crate::types::Span;

/// How one is written.
const WRITTEN: &str = "^[0-9]+(us|ms|s|m|h)$";

/// A duration with its unit, such as `"50ms"`.
pub(in crate::config) struct Duration {
    pub min: Span,
    pub max: Span,
}

impl Kind for Duration {
    type Value = Span;

    fn wanted(&self) -> String {
        format!("duration \"{}\" .. \"{}\"", self.min, self.max)
    }

    fn schema(&self) -> Value {
        json!({"type": "string", "pattern": WRITTEN})
    }

    fn read(&self, value: &DeValue<'_>) -> Result<Span, Fault> {
        let span = duration(self, value)?;
        if span < self.min || span > self.max {
            return Err(Fault::OutOfRange { wanted: self.wanted() });
        }
        Ok(span)
    }

    fn write(&self, value: &Span) -> String {
        format!("\"{value}\"")
    }
}

/// A BGP hold time.
pub(in crate::config) struct HoldTime;

impl Kind for HoldTime {
    type Value = Span;

    fn wanted(&self) -> String {
        "\"0s\" or whole seconds \"3s\" .. \"65535s\"".into()
    }

    fn schema(&self) -> Value {
        json!({"type": "string", "pattern": WRITTEN})
    }

    fn read(&self, value: &DeValue<'_>) -> Result<Span, Fault> {
        let span = duration(self, value)?;
        let is_whole = span.0 % Span::secs(1).0 == 0;
        if span == Span::ZERO || is_whole && (Span::secs(3)..=Span::secs(65_535)).contains(&span) {
            Ok(span)
        } else {
            Err(Fault::HoldTime)
        }
    }

    fn write(&self, value: &Span) -> String {
        format!("\"{value}\"")
    }
}

/// Digits and a unit. A bare number is refused: seconds in one program are milliseconds in the next.
fn duration<K: Kind>(kind: &K, value: &DeValue<'_>) -> Result<Span, Fault> {
    const EXAMPLE: &str = "\"50ms\" (units: us, ms, s, m, h)";
    let malformed = || Fault::Malformed { what: "a duration", example: EXAMPLE };
    if let Some(number) = value.as_integer() {
        return Err(Fault::NoUnit { number: number.as_str().to_owned() });
    }
    let text = text(kind, value, EXAMPLE)?;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let micros: u64 = match unit {
        "" if digits > 0 => return Err(Fault::NoUnit { number: number.to_owned() }),
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return Err(malformed()),
    };
    let number: u64 = number.parse().map_err(|_| malformed())?;
    Ok(Span(number.saturating_mul(micros)))
}
