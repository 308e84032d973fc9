//! Addresses as the text writes them: with a mask in dots, with a length, or alone.

use std::net::IpAddr;

use ipnetwork::{IpNetwork, ipv4_mask_to_prefix};

/// An address with its mask from the beginning of `words`, and how many of them that were. Alone it is one host.
pub fn with_mask(words: &[String]) -> Option<(IpNetwork, usize)> {
    let first = words.first()?;
    if first.contains('/') {
        return Some((first.parse().ok()?, 1));
    }
    let address: IpAddr = first.parse().ok()?;
    if let (IpAddr::V4(_), Some(Ok(IpAddr::V4(mask)))) = (address, words.get(1).map(|word| word.parse())) {
        // Behind an address another one in dots is its mask, or nothing that is understood here.
        return Some((IpNetwork::new(address, ipv4_mask_to_prefix(mask).ok()?).ok()?, 2));
    }
    Some((IpNetwork::from(address), 1))
}

/// The same, as a prefix: without host bits.
pub fn prefix(words: &[String]) -> Option<(IpNetwork, usize)> {
    let (address, count) = with_mask(words)?;
    Some((IpNetwork::new(address.network(), address.prefix()).ok()?, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_in_three_forms() {
        let of = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            with_mask(&words).map(|(address, count)| (address.to_string(), count))
        };
        for (text, address, count) in [
            ("172.17.1.1 255.255.255.255 srp-activate", "172.17.1.1/32", 2),
            ("172.18.0.0 255.255.0.0", "172.18.0.0/16", 2),
            ("192.0.2.1/30", "192.0.2.1/30", 1),
            ("192.0.2.1", "192.0.2.1/32", 1),
            ("2001:db8::1/64", "2001:db8::1/64", 1),
        ] {
            assert_eq!(of(text), Some((address.to_owned(), count)), "{text}");
        }
        for text in ["", "172.18.0.0 255.0.255.0", "172.18.0", "172.18.0.0/33"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
