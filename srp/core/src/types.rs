//! The words of the redundancy pair as types: time, identity, rank and state.
//!
//! Every number carries its unit in its type, and what two chassis compare is one ordered value ([`Rank`]), so that an
//! election is a comparison and nothing else.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A point on the monotonic clock: microseconds since an arbitrary start. Never wall time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[cbor(transparent)]
pub struct Time(#[n(0)] pub u64);

/// A length of time in microseconds. `Time + Span` is a `Time`; `Time + Time` does not compile.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[cbor(transparent)]
pub struct Span(#[n(0)] pub u64);

impl Time {
    /// The time from `earlier` to this point; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of whole seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Milliseconds with their fraction, for people to read.
    #[expect(clippy::cast_precision_loss, reason = "spans shown to people are far below 2^52 microseconds")]
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// This span `times` over.
    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl From<Span> for std::time::Duration {
    fn from(span: Span) -> Self {
        Self::from_micros(span.0)
    }
}

impl From<std::time::Duration> for Span {
    fn from(duration: std::time::Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

/// Prints the largest unit that needs no fraction: `50ms`, `10s`, `250us`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us % 1_000_000 == 0 => write!(f, "{}s", us / 1_000_000),
            us if us % 1_000 == 0 => write!(f, "{}ms", us / 1_000),
            us => write!(f, "{us}us"),
        }
    }
}

/// Configured role (`chassis-mode`). Primary beats backup when neither chassis is established as Active.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[cbor(index_only)]
#[serde(rename_all = "lowercase")]
pub enum ChassisMode {
    /// Becomes Active when both start together.
    #[n(0)]
    Primary,
    /// Stands by when both start together; the default.
    #[default]
    #[n(1)]
    Backup,
}

impl fmt::Display for ChassisMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "Primary",
            Self::Backup => "Backup",
        })
    }
}

/// Chassis priority, 1 ..= 255; the lower number wins (CH-9).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[cbor(transparent)]
pub struct Priority(#[n(0)] pub u8);

impl Default for Priority {
    fn default() -> Self {
        Self(125)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Chassis MAC address: the last tie-break an operator can see (CH-10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(into = "String", try_from = "String")]
#[cbor(transparent)]
pub struct Mac(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for Mac {
    type Error = MacError;
    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

/// What a MAC address must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write six octets in hexadecimal with colons or dashes between them, such as 02:00:5e:10:00:01")]
pub struct MacError;

impl FromStr for Mac {
    type Err = MacError;
    fn from_str(text: &str) -> Result<Self, MacError> {
        let mut octets = [0_u8; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().ok_or(MacError)?;
            if part.len() != 2 {
                return Err(MacError);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| MacError)?;
        }
        if parts.next().is_some() {
            return Err(MacError);
        }
        Ok(Self(octets))
    }
}

/// How many AS-path prepends this chassis' routes carry: the lower, the better (BGP-2, BGP-4).
///
/// A pair that agrees has the values `n` and `n + delta`, where delta is `delta-route-modifier`. Operational ones are
/// `1 ..= threshold`, and up to `threshold + delta` for the Standby until the pair has started again at 1 and 1 + delta.
/// `threshold + delta + 1` (primary) and `+ 2` (backup) are the initial values of a chassis that has not yet agreed with
/// a peer (BGP-3): above every value of a pair that has, so that it never beats one that serves.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[cbor(transparent)]
pub struct RouteModifier(#[n(0)] pub u16);

impl RouteModifier {
    /// The value that the Active of an agreed pair starts from.
    pub const FIRST: Self = Self(1);

    /// The value of a chassis that has just started: above every operational one, the primary's below the backup's.
    pub fn initial(mode: ChassisMode, threshold: u16, delta: u16) -> Self {
        let highest = Self(threshold).behind(delta);
        match mode {
            ChassisMode::Primary => highest.behind(1),
            ChassisMode::Backup => highest.behind(2),
        }
    }

    /// The value that is `delta` behind this one: of a Standby beside an Active with this one, by the step of the pair.
    #[must_use]
    pub fn behind(self, delta: u16) -> Self {
        Self(self.0.saturating_add(delta))
    }
}

impl fmt::Display for RouteModifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Drawn at random when `srpd` starts: two different values are two different lives of a chassis.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(into = "String", try_from = "String")]
#[cbor(transparent)]
pub struct BootId(#[n(0)] pub u64);

// As text: many readers of JSON keep no more than 53 bits of a number.
impl From<BootId> for String {
    fn from(boot: BootId) -> Self {
        boot.to_string()
    }
}

impl TryFrom<String> for BootId {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// State of a chassis as its peer and its operator see it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[cbor(index_only)]
pub enum ChassisState {
    /// Started, and not yet decided.
    #[n(0)]
    Init,
    /// Serves nothing and watches the Active.
    #[n(1)]
    Standby,
    /// Installs and announces, in order to become Active.
    #[n(2)]
    PendingActive,
    /// Serves.
    #[n(3)]
    Active,
    /// Still serves, while the peer gets ready to take over.
    #[n(4)]
    PendingStandby,
}

impl fmt::Display for ChassisState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "Init",
            Self::Standby => "Standby",
            Self::PendingActive => "Pending-Active",
            Self::Active => "Active",
            Self::PendingStandby => "Pending-Standby",
        })
    }
}

/// Why a chassis changed its state: the public switch-reason list, 0 ..= 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchReason {
    /// 0: a first election, or a step that no other reason describes.
    NotDefined = 0,
    /// 1: no AAA server answers.
    AaaFailure = 1,
    /// 2: all BGP neighbours of a context or group are down.
    BgpFailure = 2,
    /// 3: BFD to the routers failed.
    BfdFailure = 3,
    /// 4: Diameter peers failed.
    DiameterFailure = 4,
    /// 5: followed HSRP.
    HsrpSwitchover = 5,
    /// 6: BFD between the chassis failed.
    ChassisChassisBfdFailure = 6,
    /// 7: both were Active; the worse one stepped down.
    DualActive = 7,
    /// 8: both stood by; the better one took over.
    DualStandby = 8,
    /// 9: no Hello within the dead-interval.
    DeadTimerExpiry = 9,
    /// 10: the state was forced, as by an orderly stop.
    ForceStateChange = 10,
    /// 11: an operator asked for it.
    ManualSwitchover = 11,
    /// 12: eGQC failure.
    EgqcFailure = 12,
}

impl SwitchReason {
    /// The number of the reason in the public list.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The reason of a number; `NotDefined` for numbers of a later list.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::AaaFailure,
            2 => Self::BgpFailure,
            3 => Self::BfdFailure,
            4 => Self::DiameterFailure,
            5 => Self::HsrpSwitchover,
            6 => Self::ChassisChassisBfdFailure,
            7 => Self::DualActive,
            8 => Self::DualStandby,
            9 => Self::DeadTimerExpiry,
            10 => Self::ForceStateChange,
            11 => Self::ManualSwitchover,
            12 => Self::EgqcFailure,
            _ => Self::NotDefined,
        }
    }
}

impl fmt::Display for SwitchReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDefined => "Not Defined",
            Self::AaaFailure => "AAA Failure",
            Self::BgpFailure => "BGP Failure",
            Self::BfdFailure => "BFD Failure",
            Self::DiameterFailure => "Diameter Failure",
            Self::HsrpSwitchover => "HSRP Switchover",
            Self::ChassisChassisBfdFailure => "Chassis-Chassis BFD Failure",
            Self::DualActive => "Dual Active",
            Self::DualStandby => "Dual Standby",
            Self::DeadTimerExpiry => "Dead Timer Expiry",
            Self::ForceStateChange => "Force State Change",
            Self::ManualSwitchover => "Manual Switchover",
            Self::EgqcFailure => "eGQC Failure",
        })
    }
}

/// Who a chassis is: constant for one life of `srpd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Configured role.
    pub mode: ChassisMode,
    /// Configured priority.
    pub priority: Priority,
    /// Chassis MAC address.
    pub mac: Mac,
    /// This life of `srpd`.
    pub boot: BootId,
}

/// What two chassis compare; the SMALLER rank wins. The order of the fields is the order of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Lower wins. Present where one of the two may be established (CH-7), constant in a first election.
    modifier: RouteModifier,
    /// Primary beats backup in a first election (S1); constant where modifiers decide (CH-7 does not name the mode).
    mode: ChassisMode,
    /// Lower wins (CH-9).
    priority: Priority,
    /// Higher wins: the last three octets first (CH-10), then the whole; stored inverted.
    mac: [u8; 9],
    /// Tells twins apart, so that even a misconfigured pair never has two winners.
    boot: BootId,
}

impl Rank {
    /// Rank of a first election: mode, priority, MAC (S1, CH-8 .. CH-10).
    pub fn election(who: &Identity) -> Self {
        Self::new(RouteModifier::FIRST, who.mode, who)
    }

    /// Rank where both claim the same role: route modifier, priority, MAC (CH-7).
    pub fn contest(modifier: RouteModifier, who: &Identity) -> Self {
        Self::new(modifier, ChassisMode::Primary, who)
    }

    fn new(modifier: RouteModifier, mode: ChassisMode, who: &Identity) -> Self {
        let (vendor, own) = who.mac.0.split_at(3);
        let mut mac = [0; 9];
        for (slot, octet) in mac.iter_mut().zip(own.iter().chain(vendor).chain(own)) {
            *slot = !octet;
        }
        Self { modifier, mode, priority: who.priority, mac, boot: who.boot }
    }
}

/// True if nothing an operator configures tells the two apart: a configuration error that both report.
pub fn are_twins(a: &Identity, b: &Identity) -> bool {
    (a.mode, a.priority, a.mac) == (b.mode, b.priority, b.mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chassis(mode: ChassisMode, priority: u8, mac: &str, boot: u64) -> Identity {
        Identity { mode, priority: Priority(priority), mac: mac.parse().expect("mac"), boot: BootId(boot) }
    }

    #[test]
    fn ch_10_higher_mac_wins_on_its_last_three_octets_first() {
        let low = chassis(ChassisMode::Backup, 5, "00-02-43-03-01-3b", 1);
        let high = chassis(ChassisMode::Backup, 5, "00-02-43-03-1c-2b", 2);
        assert!(Rank::election(&high) < Rank::election(&low));
        // The vendor part counts only between equal last octets.
        let other_vendor = chassis(ChassisMode::Backup, 5, "ff-ff-ff-03-01-3b", 3);
        assert!(Rank::election(&high) < Rank::election(&other_vendor));
        assert!(Rank::election(&other_vendor) < Rank::election(&low));
    }

    #[test]
    fn ch_9_lower_priority_number_wins_before_the_mac() {
        let better = chassis(ChassisMode::Primary, 1, "00-00-00-00-00-01", 1);
        let worse = chassis(ChassisMode::Primary, 2, "00-00-00-00-00-02", 2);
        assert!(Rank::election(&better) < Rank::election(&worse));
    }

    #[test]
    fn primary_beats_backup_whatever_the_priority() {
        let primary = chassis(ChassisMode::Primary, 255, "00-00-00-00-00-01", 1);
        let backup = chassis(ChassisMode::Backup, 1, "00-00-00-00-00-02", 2);
        assert!(Rank::election(&primary) < Rank::election(&backup));
    }

    #[test]
    fn ch_7_modifier_then_priority_decide_a_contest_and_the_mode_does_not() {
        let primary = chassis(ChassisMode::Primary, 9, "00-00-00-00-00-01", 1);
        let backup = chassis(ChassisMode::Backup, 5, "00-00-00-00-00-02", 2);
        assert!(Rank::contest(RouteModifier(2), &backup) < Rank::contest(RouteModifier(3), &primary));
        assert!(Rank::contest(RouteModifier(3), &backup) < Rank::contest(RouteModifier(3), &primary));
    }

    #[test]
    fn twins_are_told_apart_by_their_lives_alone() {
        let one = chassis(ChassisMode::Primary, 1, "00-00-00-00-00-01", 1);
        let two = chassis(ChassisMode::Primary, 1, "00-00-00-00-00-01", 2);
        assert!(are_twins(&one, &two));
        assert!(Rank::election(&one) < Rank::election(&two));
    }

    #[test]
    fn initial_modifiers_are_above_every_operational_one_and_ordered_by_role() {
        let primary = RouteModifier::initial(ChassisMode::Primary, 16, 1);
        let backup = RouteModifier::initial(ChassisMode::Backup, 16, 1);
        assert_eq!((primary, backup), (RouteModifier(18), RouteModifier(19)));
        let initial = |mode| RouteModifier::initial(mode, 16, 5);
        let (primary, backup) = (initial(ChassisMode::Primary), initial(ChassisMode::Backup));
        assert_eq!((primary, backup), (RouteModifier(22), RouteModifier(23)));
    }

    #[test]
    fn switch_reasons_keep_their_public_numbers() {
        for number in 0..=12 {
            assert_eq!(SwitchReason::from_number(number).number(), number);
        }
        assert_eq!(SwitchReason::from_number(13), SwitchReason::NotDefined);
    }

    #[test]
    fn spans_print_in_their_largest_whole_unit() {
        for (span, text) in [(Span::secs(10), "10s"), (Span::millis(50), "50ms"), (Span(250), "250us")] {
            assert_eq!(span.to_string(), text);
        }
    }
}
