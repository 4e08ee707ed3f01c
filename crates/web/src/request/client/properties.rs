//! Generated chains of proxies, written in every way, compared with a model that never parses.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A hop: its address, if it has one, and how each header writes it.
#[derive(Clone, Debug)]
struct Hop {
    address: Option<IpAddr>,
    plain: String,
    parameter: String,
}

fn proxies() -> Vec<IpNet> {
    ["10.0.0.0/8", "2001:db8:a::/48"].iter().map(|net| net.parse().unwrap()).collect()
}

fn trusted() -> impl Strategy<Value = IpAddr> {
    let v4 = any::<[u8; 3]>().prop_map(|[a, b, c]| IpAddr::from([10, a, b, c]));
    let v6 = any::<[u16; 5]>()
        .prop_map(|[a, b, c, d, e]| IpAddr::from([0x2001, 0xdb8, 0xa, a, b, c, d, e]));
    prop_oneof![v4, v6]
}

fn untrusted() -> impl Strategy<Value = IpAddr> {
    any::<IpAddr>()
        .prop_map(|address| address.to_canonical())
        .prop_filter("a trusted proxy", |address| !is_proxy(&proxies(), *address))
}

/// Writes an address in one of the ways in which proxies do.
fn written(address: IpAddr) -> impl Strategy<Value = Hop> {
    let plain = match address {
        IpAddr::V4(v4) => prop_oneof![
            Just(format!("{v4}")),
            any::<u16>().prop_map(move |port| format!("{v4}:{port}")),
            Just(format!("::ffff:{v4}")),
            Just(format!("[{}]", v4.to_ipv6_mapped())),
        ]
        .boxed(),
        IpAddr::V6(v6) => prop_oneof![
            Just(format!("{v6}")),
            Just(format!("[{v6}]")),
            any::<u16>().prop_map(move |port| format!("[{v6}]:{port}")),
            Just(format!("{v6}%eth0")),
            Just(format!("[{v6}%25en1]:1")),
        ]
        .boxed(),
    };
    let parameter =
        select(&["for=\"{}\"", "For=\"{}\";by=\"a,\\\"b;\"", "proto=https; FOR=\"{}\" "][..]);
    (plain, parameter).prop_map(move |(plain, parameter)| {
        let parameter = parameter.replace("{}", &plain);
        Hop { address: Some(address), plain, parameter }
    })
}

fn no_address() -> impl Strategy<Value = Hop> {
    select(&["unknown", "_hidden", "", "1.2.3", "[::1"][..]).prop_map(|plain| Hop {
        address: None,
        plain: plain.to_owned(),
        parameter: format!("for=\"{plain}\""),
    })
}

fn hop() -> impl Strategy<Value = Hop> {
    prop_oneof![
        4 => trusted().prop_flat_map(written),
        2 => untrusted().prop_flat_map(written),
        1 => no_address(),
    ]
}

/// Applies the rule to parsed hops: from the peer leftwards, as long as the speaker is trusted.
fn model(peer: IpAddr, hops: &[Hop]) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        match hop.address {
            Some(address) if is_proxy(&proxies(), client) => client = address,
            _ => return client,
        }
    }
    client
}

/// Writes the header's lines; commas separate the hops in a line.
fn lines(hops: &[Hop], cuts: &[bool], write: impl Fn(&Hop) -> &String) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (at, hop) in hops.iter().enumerate() {
        match lines.last_mut().filter(|_| !cuts[at % cuts.len()]) {
            Some(line) => *line += &format!(", {}", write(hop)),
            None => lines.push(write(hop).clone()),
        }
    }
    lines
}

fn borrowed(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_leads_to_whom_the_model_says(
        peer in prop_oneof![trusted(), untrusted()],
        hops in prop::collection::vec(hop(), 1..12),
        cuts in prop::collection::vec(any::<bool>(), 12),
    ) {
        let (plain, parameters) =
            (lines(&hops, &cuts, |hop| &hop.plain), lines(&hops, &cuts, |hop| &hop.parameter));
        let (plain, parameters) = (borrowed(&plain), borrowed(&parameters));
        let client = model(peer, &hops);
        prop_assert_eq!(address(peer, &plain, &[], &proxies()), client);
        prop_assert_eq!(address(peer, &[], &parameters, &proxies()), client);
        prop_assert_eq!(address(peer, &plain, &parameters, &proxies()), client);
    }

    #[test]
    fn whatever_a_client_writes_a_trusted_chain_leads_to_that_client(
        client in untrusted().prop_flat_map(written),
        chain in prop::collection::vec(trusted().prop_flat_map(written), 0..4),
        forged in any::<String>(),
    ) {
        let peer = IpAddr::from([10, 0, 0, 1]);
        let hops: Vec<Hop> = [client.clone()].into_iter().chain(chain).collect();
        let plain = lines(&hops, &[false], |hop| &hop.plain).concat();
        let parameters = lines(&hops, &[false], |hop| &hop.parameter).concat();
        let (plain, parameters) = (format!("{forged},{plain}"), format!("{forged},{parameters}"));
        prop_assert_eq!(Some(address(peer, &[&plain], &[], &proxies())), client.address);
        prop_assert_eq!(Some(address(peer, &[], &[&parameters], &proxies())), client.address);
        // In the other header it has no effect.
        prop_assert_eq!(Some(address(peer, &[&plain], &[&forged], &proxies())), client.address);
    }

    #[test]
    fn without_a_trusted_peer_headers_change_nothing(
        peer in untrusted(),
        plain in prop::collection::vec(any::<String>(), 0..3),
        forwarded in prop::collection::vec(any::<String>(), 0..3),
    ) {
        let (plain, forwarded) = (borrowed(&plain), borrowed(&forwarded));
        prop_assert_eq!(address(peer, &plain, &forwarded, &proxies()), peer);
    }
}
