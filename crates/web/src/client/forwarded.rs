//! What proxies write into `X-Forwarded-For` and `Forwarded` (RFC 7239), read from its end.
//!
//! Each proxy appends, so only the end was written by somebody whom we trust, and what a client
//! wrote before it must not change how the end is read. That rules out reading from the front: an
//! opening quote there would swallow what the proxy appended.

use std::net::{IpAddr, Ipv6Addr};

/// The hops of `X-Forwarded-For`, the nearest first. `None` is one that is no address.
pub(super) fn x_forwarded_for<'a>(
    lines: &'a [&'a str],
) -> impl Iterator<Item = Option<IpAddr>> + 'a {
    // An empty hop is not skipped, as those of other lists are (RFC 9110, section 5.6.1): it may be
    // a proxy's word for a neighbour without an address, and what is left of it the client's.
    lines.iter().rev().flat_map(|line| line.rsplit(',')).map(|hop| node(trim(hop)))
}

/// The hops of `Forwarded`, the nearest first. `None` is one that does not say an address.
pub(super) fn forwarded<'a>(lines: &'a [&'a str]) -> impl Iterator<Item = Option<IpAddr>> + 'a {
    lines.iter().rev().flat_map(|line| rsplit_unquoted(line, b',')).map(for_parameter)
}

/// The address in the one parameter `for` of an element.
fn for_parameter(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in rsplit_unquoted(element, b';') {
        let pair = trim(pair);
        if pair.is_empty() {
            continue;
        }
        // A quote that is left open anywhere could hide where the element begins.
        let (name, value) = pair.split_once('=').filter(|(name, _)| !name.contains('"'))?;
        let value = unquoted(value)?;
        if !name.eq_ignore_ascii_case("for") {
            continue;
        }
        // A second one was slipped in through another parameter (RFC 7239, section 4, forbids it).
        if found.replace(node(&value)?).is_some() {
            return None;
        }
    }
    found
}

/// A token as it is; a quoted string (RFC 9110, section 5.6.4) without its quotes and escapes.
fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else {
        return (!value.contains('"')).then(|| value.to_owned());
    };
    let (mut text, mut rest) = (String::new(), inner.chars());
    loop {
        match rest.next()? {
            '"' => return rest.as_str().is_empty().then_some(text),
            '\\' => text.push(rest.next()?),
            c => text.push(c),
        }
    }
}

/// The parts between separators outside of quoted strings, the last first.
fn rsplit_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        let (before, part) = match separator_from_end(whole.as_bytes(), separator) {
            Some(at) => (whole.get(..at), whole.get(at + 1..)),
            None => (None, Some(whole)),
        };
        rest = before;
        part
    })
}

/// Where the last separator is that is outside of quoted strings.
fn separator_from_end(text: &[u8], separator: u8) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.iter().enumerate().rev() {
        let escapes = || text.iter().take(at).rev().take_while(|b| **b == b'\\').count();
        match byte {
            // From the end a string begins with a quote of any kind, and ends with one that
            // an even number of backslashes precedes.
            b'"' if !quoted || escapes().is_multiple_of(2) => quoted = !quoted,
            byte if *byte == separator && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// The address of a node (RFC 7239, section 6), perhaps with a port. `unknown`, obfuscated names and
/// whatever else is none. An IPv6 address may lack its brackets, as most proxies write it.
fn node(text: &str) -> Option<IpAddr> {
    let address = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        IpAddr::V6(v6(address).filter(|_| port.is_empty() || is_port(port.strip_prefix(':')))?)
    } else if let Some(address) = v6(text) {
        IpAddr::V6(address)
    } else {
        let (address, port) = text.split_once(':').map_or((text, None), |(a, p)| (a, Some(p)));
        let address = address.parse().ok()?;
        IpAddr::V4(Some(address).filter(|_| port.is_none() || is_port(port))?)
    };
    Some(address.to_canonical())
}

/// An address, perhaps with a zone (RFC 4007, section 11). The zone names a link of the proxy's,
/// which means nothing here.
fn v6(text: &str) -> Option<Ipv6Addr> {
    let Some((address, zone)) = text.split_once('%') else {
        return text.parse().ok();
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~%".contains(&b);
    address.parse().ok().filter(|_| !zone.is_empty() && zone.bytes().all(is_plain))
}

/// A number, or a name that stands for one (RFC 7239, section 6.2).
fn is_port(port: Option<&str>) -> bool {
    port.is_some_and(|port| match port.strip_prefix('_') {
        Some(name) => {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        }
        None => port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    })
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
