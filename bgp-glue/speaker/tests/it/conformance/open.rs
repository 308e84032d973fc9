use bgp_speaker::{Families, Family, NeighborConfig, Offer, Role};

use super::octets::{AS4, IPV4, IPV6, REFRESH, capabilities, internal_open, message, open};
use super::{Case, Expect, Octets, opening, run};
use Expect::{Ends, EndsWith, Opens};

#[test]
fn open_message() {
    run(&table());
}

fn usual() -> Octets {
    with(&[])
}

fn with(more: &[&[u8]]) -> Octets {
    open(&capabilities(&[&[IPV4, IPV6, REFRESH, AS4], more].concat()))
}

#[expect(clippy::too_many_lines, reason = "one line or two per case")]
fn table() -> Vec<Case> {
    let many = |code: u8, length: u8| [&[code, length][..], &vec![7; usize::from(length)]].concat();
    let extended = |body: &[u8]| {
        let [high, low] = u16::try_from(body.len()).expect("a short list").to_be_bytes();
        open(&[&[255, 255, high, low], body].concat())
    };
    let all = [IPV4, IPV6, REFRESH, AS4].concat();
    vec![
        opening("4271 §4.2", "the usual OPEN", usual(), Opens),
        // RFC 4271 section 6.2: the data is "the largest, locally-supported version number less than the version ...".
        opening("4271 §6.2", "version 3", usual().with(19, &[3]), EndsWith(2, 1, vec![0, 4])),
        opening("4271 §6.2", "version 5", usual().with(19, &[5]), EndsWith(2, 1, vec![0, 4])),
        opening("4271 §6.2", "version 0", usual().with(19, &[0]), EndsWith(2, 1, vec![0, 4])),
        opening("4271 §6.2", "version 255", usual().with(19, &[255]), EndsWith(2, 1, vec![0, 4])),
        // The AS number.
        opening(
            "4271 §6.2",
            "another AS",
            open(&capabilities(&[IPV4, &[65, 4, 0, 0, 0xfd, 0xea]])).with(20, &[0xfd, 0xea]),
            Ends(2, 2),
        ),
        opening(
            "4271 §6.2",
            "another AS without capabilities",
            open(&[0]).with(20, &[0xfd, 0xea]),
            Ends(2, 2),
        ),
        opening(
            "4271 §6.2",
            "our own AS from an external neighbor",
            open(&[0]).with(20, &[0xfd, 0xe8]),
            Ends(2, 2),
        ),
        opening("4271 §6.2", "an external AS from an internal neighbor", usual(), Ends(2, 2)).internal(),
        opening("7607 §2", "AS 0 in the short field", open(&[0]).with(20, &[0, 0]), Ends(2, 2)),
        opening(
            "7607 §2",
            "AS 0 in the capability",
            open(&capabilities(&[IPV4, &[65, 4, 0, 0, 0, 0]])),
            Ends(2, 2),
        ),
        opening(
            "7607 §2",
            "AS 0 in both",
            open(&capabilities(&[IPV4, &[65, 4, 0, 0, 0, 0]])).with(20, &[0, 0]),
            Ends(2, 2),
        ),
        opening("6793 §4.2.1", "AS_TRANS in the short field", usual().with(20, &[0x5b, 0xa0]), Opens),
        opening("6793 §4.1", "two ASes at once", usual().with(20, &[0, 7]), Ends(2, 2)),
        opening("6793 §4.1", "AS_TRANS as the AS itself", open(&[0]).with(20, &[0x5b, 0xa0]), Ends(2, 2)),
        opening("6793 §3", "no four-octet capability", open(&capabilities(&[IPV4, IPV6, REFRESH])), Opens),
        // The identifier.
        opening("6286 §2.2", "identifier 0", usual().with(24, &[0; 4]), EndsWith(2, 3, vec![0; 4])),
        opening("6286 §2.2", "ours, from an external neighbor", usual().with(24, &[192, 0, 2, 1]), Opens),
        opening(
            "6286 §2.2",
            "ours, from an internal neighbor",
            internal_open(&[0]).with(24, &[192, 0, 2, 1]),
            EndsWith(2, 3, vec![192, 0, 2, 1]),
        )
        .internal(),
        opening("6286 §2.1", "not an address of a host: 255.255.255.255", usual().with(24, &[255; 4]), Opens),
        opening("6286 §2.1", "not an address of a host: 224.0.0.1", usual().with(24, &[224, 0, 0, 1]), Opens),
        // The hold time: "MUST reject Hold Time values of one or two seconds".
        opening("4271 §6.2", "hold time 1", usual().with(22, &[0, 1]), Ends(2, 6)),
        opening("4271 §6.2", "hold time 2", usual().with(22, &[0, 2]), Ends(2, 6)),
        opening("4271 §4.2", "hold time 0", usual().with(22, &[0, 0]), Opens),
        opening("4271 §4.2", "hold time 3", usual().with(22, &[0, 3]), Opens),
        opening("4271 §4.2", "hold time 65535", usual().with(22, &[255, 255]), Opens),
        // Optional parameters.
        opening("4271 §6.2", "parameter 1, authentication, deprecated", open(&[3, 1, 1, 0]), Ends(2, 4)),
        opening("4271 §6.2", "unknown parameter 200", open(&[3, 200, 1, 0]), Ends(2, 4)),
        opening(
            "4271 §6.2",
            "unknown parameter after good ones",
            open(&[&[11, 2, 6][..], IPV4, &[200, 1, 0]].concat()),
            Ends(2, 4),
        ),
        opening("4271 §6.2", "parameters shorter than their length", open(&[9, 2, 2, 2, 0]), Ends(2, 0)),
        opening("4271 §6.2", "octets after the parameters", open(&[4, 2, 2, 2, 0, 9]), Ends(2, 0)),
        opening("4271 §6.2", "parameter overruns the parameters", open(&[4, 2, 3, 2, 0]), Ends(2, 0)),
        opening("4271 §6.2", "parameter without a length", open(&[1, 2]), Ends(2, 0)),
        opening("4271 §6.2", "empty capabilities parameter", open(&[2, 2, 0]), Opens),
        opening(
            "5492 §4",
            "one capability per parameter",
            open(&[&[14, 2, 6][..], IPV4, &[2, 4, 2, 0, 2, 0]].concat()),
            Opens,
        ),
        opening("5492 §4", "the same capability three times", with(&[REFRESH, REFRESH, IPV4]), Opens),
        opening("5492 §4", "capability overruns its parameter", open(&[4, 2, 2, 2, 9]), Ends(2, 0)),
        opening("5492 §4", "capability without a length", open(&[3, 2, 1, 2]), Ends(2, 0)),
        opening("5492 §3", "unknown capability 100", with(&[&[100, 3, 1, 2, 3]]), Opens),
        opening("5492 §3", "unknown capability 255 without a value", with(&[&[255, 0]]), Opens),
        opening("5492 §3", "private capability 128, the old refresh", with(&[&[128, 0]]), Opens),
        opening(
            "5492 §5",
            "no family in common",
            open(&capabilities(&[IPV6, AS4])),
            EndsWith(2, 7, IPV4.to_vec()),
        )
        .config(|config| NeighborConfig { families: Families::from_iter([Family::Ipv4Unicast]), ..config }),
        opening(
            "4760 §8",
            "only families that we do not know",
            open(&capabilities(&[&[1, 4, 0, 25, 0, 70], AS4])),
            Ends(2, 7),
        ),
        opening(
            "4760 §8",
            "families that we do not know beside ours",
            with(&[&[1, 4, 0, 25, 0, 70], &[1, 4, 0x40, 4, 0, 71]]),
            Opens,
        ),
        opening(
            "4760 §8",
            "reserved octet of a family is not zero",
            open(&capabilities(&[&[1, 4, 0, 1, 9, 1], REFRESH])),
            Opens,
        ),
        opening(
            "4760 §8",
            "no capability at all is IPv4",
            open(&[0]).then(super::octets::keepalive()).then(super::octets::notification(6, 2, &[])),
            Expect::HangsUp,
        ),
        opening("5492 §3", "family of a wrong length is not that family", with(&[&[1, 3, 0, 1, 0]]), Opens),
        opening("5492 §3", "refresh with a value", with(&[&[2, 1, 0]]), Opens),
        opening(
            "6793 §3",
            "four-octet AS of a wrong length",
            open(&capabilities(&[IPV4, REFRESH, &[65, 2, 0xfd, 0xe9]])),
            Opens,
        ),
        // RFC 9234 section 4.2: roles.
        opening("9234 §4.2", "customer of a provider", with(&[&[9, 1, 3]]), Opens).config(provider),
        opening("9234 §4.2", "two providers", with(&[&[9, 1, 0]]), Ends(2, 11)).config(provider),
        opening("9234 §4.2", "peer of a provider", with(&[&[9, 1, 4]]), Ends(2, 11)).config(provider),
        opening("9234 §4.2", "the same role twice", with(&[&[9, 1, 3], &[9, 1, 3]]), Opens).config(provider),
        opening("9234 §4.2", "two roles", with(&[&[9, 1, 3], &[9, 1, 4]]), Ends(2, 11)).config(provider),
        opening("9234 §4.2", "no role", usual(), Opens).config(provider),
        opening("9234 §4.2", "no role where one is a must", usual(), Ends(2, 11)).config(strict_provider),
        opening("9234 §4.1", "unknown role is none", with(&[&[9, 1, 77]]), Opens).config(provider),
        opening("9234 §4.2", "a role against none of ours", with(&[&[9, 1, 0]]), Opens),
        // Capabilities that come without having been offered.
        opening("7911 §4", "several paths, not offered by us", with(&[&[69, 4, 0, 1, 1, 3]]), Opens),
        opening("8950 §4", "IPv6 next hops, not offered by us", with(&[&[5, 6, 0, 1, 0, 1, 0, 2]]), Opens),
        opening(
            "4724 §3",
            "graceful restart, not offered by us",
            with(&[&[64, 6, 0, 120, 0, 1, 1, 0x80]]),
            Opens,
        ),
        opening("4724 §3", "graceful restart without families", with(&[&[64, 2, 0, 120]]), Opens),
        opening("4724 §3", "graceful restart cut short", with(&[&[64, 1, 0]]), Opens),
        opening("8654 §3", "extended messages", with(&[&[6, 0]]), Opens),
        opening("7313 §3", "enhanced refresh", with(&[&[70, 0]]), Opens),
        opening(
            "9494 §3",
            "long-lived restart, not offered by us",
            with(&[&[71, 7, 0, 1, 1, 0, 0, 1, 0]]),
            Opens,
        ),
        // RFC 9072: extended optional parameters.
        opening("9072 §2", "extended form", extended(&[&[2, 0, 20][..], &all].concat()), Opens),
        opening(
            "9072 §2",
            "extended form, any short length but zero",
            extended(&[&[2, 0, 20][..], &all].concat()).with(28, &[1]),
            Opens,
        ),
        opening(
            "9072 §2",
            "more than 255 octets",
            extended(&[&[2, 1, 202][..], &all, &many(100, 200), &many(101, 234)].concat()),
            Opens,
        ),
        opening(
            "9072 §2",
            "two extended parameters",
            extended(&[&[2, 0, 6][..], IPV4, &[2, 0, 2], REFRESH].concat()),
            Opens,
        ),
        opening(
            "9072 §2",
            "extended length too long",
            extended(&[&[2, 0, 6][..], IPV4].concat()).with(31, &[10]),
            Ends(2, 0),
        ),
        opening(
            "9072 §2",
            "extended length too short",
            extended(&[&[2, 0, 6][..], IPV4].concat()).with(31, &[8]),
            Ends(2, 0),
        ),
        opening(
            "9072 §2",
            "extended parameter overruns",
            extended(&[&[2, 0, 9][..], IPV4].concat()),
            Ends(2, 0),
        ),
        opening("9072 §2", "extended form cut in the header", open(&[255, 255, 0]), Ends(2, 0)),
        opening("9072 §2", "unknown parameter in the extended form", extended(&[200, 0, 1, 0]), Ends(2, 4)),
        opening(
            "9072 §2",
            "empty extended form",
            extended(&[]).then(super::octets::keepalive()).then(super::octets::notification(6, 2, &[])),
            Expect::HangsUp,
        ),
        // The longest.
        opening("4271 §4.2", "OPEN of 4096 octets", longest(), Opens),
        opening(
            "4271 §6.2",
            "OPEN that is only a header of parameters",
            message(1, &[4, 0xfd, 0xe9, 0, 90, 192, 0, 2, 2, 1]),
            Ends(2, 0),
        ),
    ]
}

fn provider(config: NeighborConfig) -> NeighborConfig {
    NeighborConfig { offer: Offer { role: Some(Role::Provider), ..config.offer }, ..config }
}

fn strict_provider(config: NeighborConfig) -> NeighborConfig {
    let config = provider(config);
    NeighborConfig { offer: Offer { role_strict: true, ..config.offer }, ..config }
}

/// Unknown capabilities up to the limit of a message.
fn longest() -> Octets {
    let mut body = vec![4, 0xfd, 0xe9, 0, 90, 192, 0, 2, 2, 255, 255];
    let room = 4096 - 19 - body.len() - 2;
    let mut parameters = vec![2];
    parameters.extend(u16::try_from(room - 3).expect("less than a message").to_be_bytes());
    parameters.extend([IPV4, IPV6, REFRESH, AS4].concat());
    while parameters.len() < room {
        let length = (room - parameters.len() - 2).min(253);
        parameters.extend([100, u8::try_from(length).expect("at most 253")]);
        parameters.resize(parameters.len() + length, 1);
    }
    body.extend(u16::try_from(room).expect("less than a message").to_be_bytes());
    body.extend(parameters);
    message(1, &body)
}
