use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The browser or program that asks, as far as it can be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The address it connected from.
    pub address: Option<IpAddr>,
    /// The name it gives itself; see [`Client::new`].
    pub user_agent: Option<String>,
}

impl Client {
    /// The most bytes of a user agent that are kept.
    pub const MAX_USER_AGENT_BYTES: usize = 255;

    /// Returns a client at `address` that calls itself `user_agent`. Keeps only the printable ASCII of the
    /// name, cut at [`Client::MAX_USER_AGENT_BYTES`]: nothing else has an honest use in it.
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let printable = |text: &str| {
            let is_printable = |byte: &u8| matches!(byte, b' '..=b'~');
            // The common case: almost every request has such a name.
            if text.len() <= Self::MAX_USER_AGENT_BYTES && text.as_bytes().iter().all(is_printable)
            {
                return text.to_owned();
            }
            let kept = text.chars().filter(|c| matches!(c, ' '..='~'));
            kept.take(Self::MAX_USER_AGENT_BYTES).collect::<String>()
        };
        Self { address, user_agent: user_agent.map(printable).filter(|text| !text.is_empty()) }
    }
}

/// Returns the first address of the network that one owner of addresses usually has: the /24 of an IPv4
/// address, the /64 of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_kept_short_and_printable() {
        let client = Client::new(None, Some("Fire\x1b[31mfox\r\n\u{202E}/1.0"));
        assert_eq!(client.user_agent.as_deref(), Some("Fire[31mfox/1.0"));
        let long = Client::new(None, Some(&"x".repeat(9_000)));
        assert_eq!(long.user_agent.unwrap().len(), Client::MAX_USER_AGENT_BYTES);
        assert_eq!(Client::new(None, Some("\r\n")).user_agent, None);
    }
}
