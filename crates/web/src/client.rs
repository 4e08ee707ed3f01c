//! Who is at the other end of a request.

use std::net::IpAddr;

use countersign_domain::Client;
use ipnet::IpNet;
use rocket::Request;

use crate::state::Shared;

/// The client as far as it can be known: its address is the peer's, or, where the peer is a trusted
/// proxy, the nearest address in `X-Forwarded-For` that is not one.
pub(crate) fn client(request: &Request<'_>, shared: &Shared) -> Client {
    let peer = request.remote().map(|remote| remote.ip().to_canonical());
    let forwarded = request.headers().get("X-Forwarded-For");
    let address = peer.map(|peer| nearest_untrusted(peer, forwarded, &shared.trusted_proxies));
    Client::new(address, request.headers().get_one("User-Agent"))
}

fn nearest_untrusted<'a>(
    peer: IpAddr,
    forwarded: impl Iterator<Item = &'a str>,
    proxies: &[IpNet],
) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    let hops: Vec<&str> = forwarded.flat_map(|header| header.split(',')).collect();
    let mut nearest = peer;
    for hop in hops.iter().rev() {
        if !is_proxy(&nearest) {
            break;
        }
        // What a trusted proxy did not write in a form we know ends the chain at that proxy.
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        nearest = address.to_canonical();
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().unwrap()).collect();
        let forwarded = forwarded.iter().copied();
        nearest_untrusted(peer.parse().unwrap(), forwarded, &proxies).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_peer_is_the_client() {
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"], &[]), "203.0.113.7");
    }

    #[test]
    fn behind_trusted_proxies_the_nearest_other_address_is_the_client() {
        let proxies = ["10.0.0.0/8", "127.0.0.1/32"];
        assert_eq!(seen("127.0.0.1", &["198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(
            seen("127.0.0.1", &["1.2.3.4, 198.51.100.1, 10.1.1.1"], &proxies),
            "198.51.100.1"
        );
        assert_eq!(seen("127.0.0.1", &["1.2.3.4", "198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"], &proxies), "203.0.113.7");
    }

    #[test]
    fn what_is_no_address_ends_the_chain() {
        assert_eq!(seen("127.0.0.1", &["1.2.3.4, unknown"], &["127.0.0.1/32"]), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &[], &["127.0.0.1/32"]), "127.0.0.1");
    }

    #[test]
    fn mapped_addresses_are_folded() {
        let forwarded = ["::ffff:198.51.100.1"];
        assert_eq!(seen("127.0.0.1", &forwarded, &["127.0.0.1/32"]), "198.51.100.1");
    }
}
