//! One event with its particulars.

use std::net::IpAddr;

use super::Name;
use crate::types::SwitchReason;

/// Texts of an event are no longer than this, octets: some come from other machines.
pub const LONGEST_TEXT: usize = 512;

/// An event that happened, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Which.
    pub name: Name,
    /// Context: the redundancy context, or that of a BGP neighbour.
    pub context: Option<String>,
    /// Our end of the SRP link.
    pub srp_address: Option<IpAddr>,
    /// Port of the SRP link.
    pub port: Option<u16>,
    /// The other end: of the link, of BGP or of BFD, by its address or by the interface that it is found on.
    pub peer: Option<String>,
    /// Why the state changed.
    pub reason: Option<SwitchReason>,
    /// For people.
    pub detail: Option<String>,
}

impl Occurrence {
    /// An event of which nothing is known but its name.
    pub const fn new(name: Name) -> Self {
        Self { name, context: None, srp_address: None, port: None, peer: None, reason: None, detail: None }
    }

    /// In this context.
    #[must_use]
    pub fn in_context(self, context: &str) -> Self {
        Self { context: Some(bounded(context)), ..self }
    }

    /// With this peer.
    #[must_use]
    pub fn with(self, peer: &str) -> Self {
        Self { peer: Some(bounded(peer)), ..self }
    }

    /// For this reason.
    #[must_use]
    pub fn because(self, reason: SwitchReason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// With these particulars.
    #[must_use]
    pub fn saying(self, detail: &str) -> Self {
        Self { detail: Some(bounded(detail)).filter(|detail| !detail.is_empty()), ..self }
    }

    /// Every field that is there, by its stable name.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let reason = self.reason.map(|reason| format!("{} ({reason})", reason.number()));
        let all = [
            ("context", self.context.clone()),
            ("srp-address", self.srp_address.map(|address| address.to_string())),
            ("port", self.port.map(|port| port.to_string())),
            ("peer", self.peer.clone()),
            ("reason", reason),
            ("detail", self.detail.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The text, cut where it gets long.
fn bounded(text: &str) -> String {
    let mut end = LONGEST_TEXT.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "ä".repeat(LONGEST_TEXT);
        let cut = Occurrence::new(Name::Suspended).saying(&format!("x{long}")).detail.expect("a text");
        assert_eq!(cut.len(), LONGEST_TEXT - 1);
    }

    #[test]
    fn absent_fields_are_not_named() {
        let occurrence = Occurrence::new(Name::PeerTwins).in_context("srp").saying("");
        assert_eq!(occurrence.fields(), [("context", "srp".to_owned())]);
    }
}
