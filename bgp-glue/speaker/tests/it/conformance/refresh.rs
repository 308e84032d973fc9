use bgp_proto::wire::open::{Capability, Open};

use super::case::{external, internal};
use super::octets::{message, route_refresh};
use super::{Case, Expect, run};
use Expect::{Ends, EndsWith, Stays};

#[test]
fn route_refresh_message() {
    run(&table());
}

fn table() -> Vec<Case> {
    vec![
        external("2918 §4", "IPv4", route_refresh(1, 0, 1), Stays),
        external("2918 §4", "IPv6", route_refresh(2, 0, 1), Stays),
        external("2918 §4", "a hundred requests", Vec::from(route_refresh(1, 0, 1)).repeat(100), Stays),
        internal("2918 §4", "by an internal neighbor", route_refresh(1, 0, 1), Stays),
        external("2918 §4", "by one that did not say that it can", route_refresh(1, 0, 1), Stays)
            .open(without_refresh),
        // RFC 2918 section 4: a family that was not negotiated "SHOULD" be ignored.
        external("2918 §4", "family that we do not know", route_refresh(25, 0, 70), Stays),
        external("2918 §4", "AFI 0", route_refresh(0, 0, 1), Stays),
        external("2918 §4", "SAFI 0", route_refresh(1, 0, 0), Stays),
        external("2918 §4", "multicast", route_refresh(1, 0, 2), Stays),
        // RFC 7313 section 5: the length is wrong.
        external("4271 §6.1", "22 octets", message(5, &[0, 1, 0]), EndsWith(1, 2, vec![0, 22])),
        external("4271 §6.1", "24 octets", message(5, &[0, 1, 0, 1, 0]), EndsWith(1, 2, vec![0, 24])),
        external(
            "4271 §6.1",
            "a mark of 24 octets, not agreed on",
            message(5, &[0, 1, 1, 1, 0]),
            EndsWith(1, 2, vec![0, 24]),
        ),
        external("7313 §5", "begin of 24 octets", message(5, &[0, 1, 1, 1, 0]), Ends(7, 1)).open(enhanced),
        external("7313 §5", "end of 22 octets", message(5, &[0, 1, 2]), Ends(7, 1)).open(enhanced),
        external(
            "7313 §5",
            "request of 24 octets",
            message(5, &[0, 1, 0, 1, 0]),
            EndsWith(1, 2, vec![0, 24]),
        )
        .open(enhanced),
        external("7313 §4", "begin and end", route_refresh(1, 1, 1).then(route_refresh(1, 2, 1)), Stays)
            .open(enhanced),
        external("7313 §4", "end without a begin", route_refresh(1, 2, 1), Stays).open(enhanced),
        external("7313 §4", "begin twice", route_refresh(1, 1, 1).then(route_refresh(1, 1, 1)), Stays)
            .open(enhanced),
        external(
            "7313 §4",
            "marks that were not agreed on",
            route_refresh(1, 1, 1).then(route_refresh(1, 2, 1)),
            Stays,
        ),
        external("7313 §4", "subtype 3 is ignored", route_refresh(1, 3, 1), Stays),
        external("7313 §4", "subtype 255 is ignored", route_refresh(1, 255, 1), Stays),
    ]
}

fn enhanced(mut open: Open) -> Open {
    open.capabilities.push(Capability::EnhancedRouteRefresh);
    open
}

fn without_refresh(mut open: Open) -> Open {
    open.capabilities.retain(|capability| *capability != Capability::RouteRefresh);
    open
}
