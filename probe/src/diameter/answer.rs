//! What the peer says of itself and of our request, and what of it is a refusal.

use super::packet::{ERROR, Message, avp};
use crate::types::line;

/// `DIAMETER_SUCCESS`.
pub(super) const SUCCESS: u32 = 2001;
/// `DIAMETER_COMMAND_UNSUPPORTED`.
pub(super) const COMMAND_UNSUPPORTED: u32 = 3001;
/// `DIAMETER_APPLICATION_UNSUPPORTED`.
pub(super) const APPLICATION_UNSUPPORTED: u32 = 3007;

/// Result codes that a Capabilities-Exchange-Answer can have (RFC 6733 section 7.1).
const RESULTS: [(u32, &str); 17] = [
    (2001, "DIAMETER_SUCCESS"),
    (2002, "DIAMETER_LIMITED_SUCCESS"),
    (3001, "DIAMETER_COMMAND_UNSUPPORTED"),
    (3002, "DIAMETER_UNABLE_TO_DELIVER"),
    (3004, "DIAMETER_TOO_BUSY"),
    (3007, "DIAMETER_APPLICATION_UNSUPPORTED"),
    (3008, "DIAMETER_INVALID_HDR_BITS"),
    (3009, "DIAMETER_INVALID_AVP_BITS"),
    (3010, "DIAMETER_UNKNOWN_PEER"),
    (4003, "ELECTION_LOST"),
    (5001, "DIAMETER_AVP_UNSUPPORTED"),
    (5004, "DIAMETER_INVALID_AVP_VALUE"),
    (5005, "DIAMETER_MISSING_AVP"),
    (5010, "DIAMETER_NO_COMMON_APPLICATION"),
    (5011, "DIAMETER_UNSUPPORTED_VERSION"),
    (5012, "DIAMETER_UNABLE_TO_COMPLY"),
    (5017, "DIAMETER_NO_COMMON_SECURITY"),
];

/// Why an answer to Capabilities-Exchange opens no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another result than success.
    #[error("Capabilities-Exchange refused by {host}: {}{}", result(*.code), detail(.message))]
    Result {
        /// Who says so.
        host: String,
        /// Result-Code.
        code: u32,
        /// Error-Message, or nothing.
        message: String,
    },
    /// It does not say how it went, or who it is.
    #[error("Capabilities-Exchange-Answer without {0}")]
    Missing(&'static str),
    /// Somebody else is at this address.
    #[error("Origin-Host is {host}, not {wanted}: another peer is at this address, or host is mistyped")]
    Host {
        /// Who is there.
        host: String,
        /// Who is configured.
        wanted: String,
    },
}

/// A result code with its name.
fn result(code: u32) -> String {
    match RESULTS.iter().find(|(known, _)| *known == code) {
        Some((_, name)) => format!("{name} ({code})"),
        None => format!("Result-Code {code}"),
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Who the peer is, if it takes us. `wanted` is the identity that it has to have.
pub(super) fn read_capabilities(answer: &Message, wanted: Option<&str>) -> Result<String, Refusal> {
    let text = |code| answer.find(code).map(|avp| line(&avp.data));
    let host = text(avp::ORIGIN_HOST).ok_or(Refusal::Missing("Origin-Host"))?;
    let code = answer.find(avp::RESULT_CODE).and_then(super::Avp::as_number);
    let code = code.ok_or(Refusal::Missing("Result-Code"))?;
    if code != SUCCESS || answer.header.flags & ERROR != 0 {
        let message = text(avp::ERROR_MESSAGE).unwrap_or_default();
        return Err(Refusal::Result { host, code, message });
    }
    // DiameterIdentity is a domain name (RFC 6733 section 4.3.1): case does not count.
    match wanted {
        Some(wanted) if !wanted.eq_ignore_ascii_case(&host) => {
            Err(Refusal::Host { host, wanted: wanted.to_owned() })
        }
        Some(_) | None => match text(avp::PRODUCT_NAME) {
            Some(product) if !product.is_empty() => Ok(format!("{host} ({product})")),
            Some(_) | None => Ok(host),
        },
    }
}

/// Why the peer wants to be left (RFC 6733 section 5.4.3).
pub(super) fn disconnect_cause(request: &Message) -> &'static str {
    match request.find(avp::DISCONNECT_CAUSE).and_then(super::Avp::as_number) {
        Some(0) => "REBOOTING",
        Some(1) => "BUSY",
        Some(2) => "DO_NOT_WANT_TO_TALK_TO_YOU",
        Some(_) => "a cause that RFC 6733 does not have",
        None => "no cause",
    }
}
