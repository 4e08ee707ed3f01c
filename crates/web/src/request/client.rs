//! The client at the other end of a request, perhaps behind proxies.

mod forwarded;
#[cfg(test)]
mod properties;

use std::net::IpAddr;

use countersign_domain::Client;
use ipnet::{IpNet, Ipv4Net};
use rocket::Request;

/// More proxies than any honest request passes.
const MAX_HOPS: usize = 64;

/// Returns the client as far as it can be known. Its address is that of the peer or, if the peer is
/// a trusted proxy, the one that [`address`] finds behind it.
pub(crate) fn client(request: &Request<'_>, proxies: &[IpNet]) -> Client {
    let lines = |name| request.headers().get(name).collect::<Vec<_>>();
    let address = request.remote().map(|remote| {
        if proxies.is_empty() {
            return remote.ip().to_canonical();
        }
        let (x_forwarded_for, mut forwarded) = (lines("X-Forwarded-For"), lines("Forwarded"));
        if x_forwarded_for.is_empty() && writes_x_forwarded(request) {
            forwarded.clear();
        }
        address(remote.ip(), &x_forwarded_for, &forwarded, proxies)
    });
    Client::new(address, request.headers().get_one("User-Agent"))
}

/// Returns whether the proxy is of the kind that writes `X-Forwarded-For`, judged by the headers
/// that go with it. If that header is missing nevertheless, a client has made it vanish: Rocket drops
/// a line that is not UTF-8, together with what a proxy appended to it. `Forwarded` then comes from
/// the client, since such a proxy passes it on.
fn writes_x_forwarded(request: &Request<'_>) -> bool {
    let kin = ["X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP"];
    kin.iter().any(|name| request.headers().contains(name))
}

/// Returns the nearest address in `X-Forwarded-For`, or else in `Forwarded`, that does not belong to
/// a trusted proxy. A proxy that writes the first header usually passes on the second as it came.
pub(crate) fn address(
    peer: IpAddr,
    x_forwarded_for: &[&str],
    forwarded: &[&str],
    proxies: &[IpNet],
) -> IpAddr {
    let peer = peer.to_canonical();
    if x_forwarded_for.is_empty() {
        nearest_untrusted(peer, forwarded::forwarded(forwarded), proxies)
    } else {
        nearest_untrusted(peer, forwarded::x_forwarded_for(x_forwarded_for), proxies)
    }
}

/// Returns whether `address` belongs to one of the trusted `proxies`.
pub(crate) fn is_proxy(proxies: &[IpNet], address: IpAddr) -> bool {
    proxies.iter().any(|net| holds(net, &address))
}

fn nearest_untrusted(
    peer: IpAddr,
    hops: impl Iterator<Item = Option<IpAddr>>,
    proxies: &[IpNet],
) -> IpAddr {
    let mut nearest = peer;
    for hop in hops.take(MAX_HOPS) {
        if !is_proxy(proxies, nearest) {
            break;
        }
        // The chain ends at a trusted proxy that wrote something other than an address.
        let Some(address) = hop else { break };
        nearest = address;
    }
    nearest
}

/// Returns whether `net` contains a canonical address. A network of IPv4-mapped addresses counts as
/// one of IPv4.
fn holds(net: &IpNet, address: &IpAddr) -> bool {
    let folded = match net {
        IpNet::V6(v6) => {
            let length = v6.prefix_len().checked_sub(96);
            v6.addr().to_ipv4_mapped().zip(length).and_then(|(v4, n)| Ipv4Net::new(v4, n).ok())
        }
        IpNet::V4(_) => None,
    };
    folded.map_or_else(|| net.contains(address), |folded| IpNet::V4(folded).contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: &[&str] = &["10.0.0.0/8", "127.0.0.1/32", "fe80::/10", "::ffff:192.0.2.0/120"];

    fn seen(peer: &str, x_forwarded_for: &[&str], forwarded: &[&str], proxies: &[&str]) -> String {
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().unwrap()).collect();
        address(peer.parse().unwrap(), x_forwarded_for, forwarded, &proxies).to_string()
    }

    /// The client that trusted proxies name in `X-Forwarded-For`.
    fn behind(x_forwarded_for: &[&str]) -> String {
        seen("127.0.0.1", x_forwarded_for, &[], PROXIES)
    }

    /// The client that trusted proxies name in `Forwarded`.
    fn behind_forwarded(lines: &[&str]) -> String {
        seen("127.0.0.1", &[], lines, PROXIES)
    }

    #[test]
    fn without_trusted_proxies_the_peer_is_the_client() {
        let forwarded = ["for=198.51.100.1"];
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"], &forwarded, &[]), "203.0.113.7");
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"], &[], PROXIES), "203.0.113.7");
        assert_eq!(seen("::ffff:203.0.113.7", &[], &[], &[]), "203.0.113.7");
    }

    #[test]
    fn behind_trusted_proxies_the_nearest_other_address_is_the_client() {
        assert_eq!(behind(&["198.51.100.1"]), "198.51.100.1");
        assert_eq!(behind(&["1.2.3.4, 198.51.100.1, 10.1.1.1"]), "198.51.100.1");
        assert_eq!(behind(&["1.2.3.4", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(behind(&["198.51.100.1", "10.1.1.1,10.2.2.2"]), "198.51.100.1");
        assert_eq!(behind(&["10.3.3.3, 10.2.2.2"]), "10.3.3.3");
        assert_eq!(behind(&[]), "127.0.0.1");
    }

    #[test]
    fn an_address_may_have_a_port_brackets_a_zone_and_space_around_it() {
        for (written, address) in [
            ("\t198.51.100.1 ", "198.51.100.1"),
            ("198.51.100.1:65535", "198.51.100.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1%eth0", "2001:db8::1"),
            ("[2001:db8::1%25eth0]:443", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("[::ffff:198.51.100.1]:80", "198.51.100.1"),
        ] {
            assert_eq!(behind(&[written]), address, "{written:?}");
            assert_eq!(behind_forwarded(&[&format!("for=\"{}\"", written.trim())]), address);
        }
    }

    #[test]
    fn what_is_no_address_ends_the_chain_at_the_proxy_that_wrote_it() {
        for garbage in [
            "",
            " ",
            "unknown",
            "_hidden",
            "198.51.100.1:",
            "198.51.100.1:65536",
            "198.51.100.1:+80",
            "198.51.100.1 10.0.0.1",
            "198.51.100",
            "198.51.100.010",
            "198.51.100.1%eth0",
            "[198.51.100.1]",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]443",
            "2001:db8::1%",
            "2001:db8::1%eth 0",
            "\"198.51.100.1\"",
            "localhost",
            "１98.51.100.1",
        ] {
            assert_eq!(behind(&[&format!("1.2.3.4, {garbage}")]), "127.0.0.1", "{garbage:?}");
            assert_eq!(behind(&["1.2.3.4", garbage, "10.1.1.1"]), "10.1.1.1", "{garbage:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        for (written, address) in [
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=198.51.100.1;proto=http;by=203.0.113.43", "198.51.100.1"),
            ("proto=https ; for=198.51.100.1;", "198.51.100.1"),
            ("for=192.0.2.43, for=198.51.100.1", "198.51.100.1"),
            ("for=198.51.100.1, for=10.1.1.1;by=\"a, for=6.6.6.6\"", "198.51.100.1"),
            ("for=\"198.51.100.1:_port\"", "198.51.100.1"),
            ("for=\"198.51.100\\.1\"", "198.51.100.1"),
            ("host=\"a\\\";for=6.6.6.6;b=\\\\\";for=198.51.100.1", "198.51.100.1"),
            ("for=unknown", "127.0.0.1"),
            ("for=\"_gazonk\"", "127.0.0.1"),
            ("for=6.6.6.6, by=10.1.1.1", "127.0.0.1"),
            ("for=6.6.6.6, for=", "127.0.0.1"),
            ("for=6.6.6.6, for = 198.51.100.1", "127.0.0.1"),
            ("for=6.6.6.6;for=198.51.100.1", "127.0.0.1"),
            ("for=198.51.100.1\"", "127.0.0.1"),
            ("for=6.6.6.6,", "127.0.0.1"),
            ("by=\";for=198.51.100.1", "127.0.0.1"),
            ("a\"b=c;for=198.51.100.1", "127.0.0.1"),
        ] {
            assert_eq!(behind_forwarded(&[written]), address, "{written:?}");
        }
    }

    #[test]
    fn a_quote_of_the_clients_does_not_swallow_what_the_proxy_appended() {
        for forged in ["for=\"", "for=6.6.6.6;by=\"", "\"\\", "\\", "for=\"6.6.6.6\", \"", "=;\""] {
            for own in ["for=198.51.100.1", "for=\"198.51.100.1:80\";by=\"_a\\\"b\""] {
                let (one, two) = (format!("{forged}, {own}"), [forged, own]);
                assert_eq!(behind_forwarded(&[&one]), "198.51.100.1", "{one}");
                assert_eq!(behind_forwarded(&two), "198.51.100.1", "{two:?}");
            }
        }
    }

    #[test]
    fn beside_x_forwarded_for_forwarded_says_nothing() {
        let both = |x_forwarded_for, forwarded| {
            seen("127.0.0.1", &[x_forwarded_for], &[forwarded], PROXIES)
        };
        assert_eq!(both("198.51.100.1", "for=6.6.6.6"), "198.51.100.1");
        assert_eq!(both("198.51.100.1, 10.1.1.1", ""), "198.51.100.1");
        assert_eq!(both("", "for=6.6.6.6"), "127.0.0.1");
    }

    #[test]
    fn thousands_of_hops_are_not_followed() {
        let long = vec!["10.1.1.1"; 100_000].join(",");
        assert_eq!(behind(&["6.6.6.6", &long]), "10.1.1.1");
        let quotes = format!("6.6.6.6,{}", "\\\"".repeat(100_000));
        assert_eq!(behind_forwarded(&[&quotes]), "127.0.0.1");
    }

    #[test]
    fn mapped_addresses_are_folded_in_networks_too() {
        assert_eq!(behind(&["198.51.100.1, 192.0.2.7"]), "198.51.100.1");
        assert_eq!(behind(&["198.51.100.1, ::ffff:10.1.1.1"]), "198.51.100.1");
        assert_eq!(seen("::ffff:127.0.0.1", &["198.51.100.1"], &[], PROXIES), "198.51.100.1");
        assert_eq!(behind(&["198.51.100.1, fe80::1%eth0"]), "198.51.100.1");
        // An IPv6 network contains only IPv6 addresses, however wide it is.
        assert_eq!(seen("10.1.1.1", &["198.51.100.1"], &[], &["::/0"]), "10.1.1.1");
    }
}
