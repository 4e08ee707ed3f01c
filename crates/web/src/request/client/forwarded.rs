//! Reads `X-Forwarded-For` and `Forwarded` (RFC 7239) from the end.
//!
//! Each proxy appends, so only the end comes from somebody whom we trust, and what a client wrote
//! before it must not change how the end is read. That rules out reading from the front: an opening
//! quote there would swallow what the proxy appended.

use std::net::{IpAddr, Ipv6Addr};

/// Returns the hops of `X-Forwarded-For`, nearest first. A hop that is not an address is `None`.
pub(super) fn x_forwarded_for<'a>(
    lines: &'a [&'a str],
) -> impl Iterator<Item = Option<IpAddr>> + 'a {
    // An empty hop is not skipped, unlike in other lists (RFC 9110, section 5.6.1): a proxy may have
    // written it for a neighbour without an address, and what is left of it comes from the client.
    lines.iter().rev().flat_map(|line| line.rsplit(',')).map(|hop| node(trim(hop)))
}

/// Returns the hops of `Forwarded`, nearest first. A hop without an address is `None`.
pub(super) fn forwarded<'a>(lines: &'a [&'a str]) -> impl Iterator<Item = Option<IpAddr>> + 'a {
    lines.iter().rev().flat_map(|line| rsplit_unquoted(line, b',')).map(for_parameter)
}

/// Returns the address in an element's only `for` parameter.
fn for_parameter(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in rsplit_unquoted(element, b';') {
        let pair = trim(pair);
        if pair.is_empty() {
            continue;
        }
        // An unclosed quote anywhere could hide where the element begins.
        let (name, value) = pair.split_once('=').filter(|(name, _)| !name.contains('"'))?;
        let value = unquoted(value)?;
        if !name.eq_ignore_ascii_case("for") {
            continue;
        }
        // RFC 7239, section 4, forbids a second one: somebody slipped it in.
        if found.replace(node(&value)?).is_some() {
            return None;
        }
    }
    found
}

/// Returns a token unchanged, and a quoted string (RFC 9110, section 5.6.4) without its quotes and
/// escapes.
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

/// Splits at the separators outside quoted strings, last part first.
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

/// Returns the position of the last separator outside quoted strings.
fn separator_from_end(text: &[u8], separator: u8) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.iter().enumerate().rev() {
        let escapes = || text.iter().take(at).rev().take_while(|b| **b == b'\\').count();
        match byte {
            // Read from the end, a string begins with any quote, and ends with a quote that
            // follows an even number of backslashes.
            b'"' if !quoted || escapes().is_multiple_of(2) => quoted = !quoted,
            byte if *byte == separator && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Reads the address of a node (RFC 7239, section 6), perhaps with a port. `unknown`, obfuscated
/// names and everything else are `None`. An IPv6 address may lack brackets, as most proxies write it.
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

/// Reads an address, perhaps with a zone (RFC 4007, section 11). The zone names a link of the proxy,
/// which means nothing here.
fn v6(text: &str) -> Option<Ipv6Addr> {
    let Some((address, zone)) = text.split_once('%') else {
        return text.parse().ok();
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~%".contains(&b);
    address.parse().ok().filter(|_| !zone.is_empty() && zone.bytes().all(is_plain))
}

/// Returns whether this is a number, or a name that stands for one (RFC 7239, section 6.2).
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
