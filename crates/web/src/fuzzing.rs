//! The promises of the parsers that read what comes from outside: a function for each, which panics
//! when its parser breaks the promise. The fuzzer (`fuzz/` in the repository) and the tests in
//! tests/properties.rs call them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use countersign_domain::{EmailAddress, RememberToken, SecretToken, Username};
use ipnet::IpNet;
use rocket::figment::Profile;
use rocket::figment::providers::{Format, Serialized, Toml};
use rocket::figment::util::nest;
use rocket::figment::value::Value;
use serde::Deserialize;
use url::Url;

use crate::program::settings::Settings;
use crate::program::settings::show::lines;
use crate::program::settings::sources::{defaults, is_readable, own_key};
use crate::request::next::{Next, with_next};
use crate::request::{client, cookies, submitted};

pub use countersign_auth::fuzzing::phc;

/// Checks a parser's promise for one input.
pub type Property = fn(&[u8]);

/// All functions of this module with their names.
pub const ALL: [(&str, Property); 8] = [
    ("configuration", configuration),
    ("cookies", cookies),
    ("email", email),
    ("form", form),
    ("forwarded", forwarded),
    ("next", next),
    ("phc", phc),
    ("username", username),
];

/// Checks email addresses: an accepted one parses to the same value again, in each of its forms and
/// from a store.
pub fn email(input: &[u8]) {
    let Ok(typed) = std::str::from_utf8(input) else { return };
    let Ok(email) = EmailAddress::parse(typed) else { return };
    let (given, canonical) = (email.as_str(), email.canonical());
    let same = |again: &EmailAddress| (again.as_str(), again.canonical()) == (given, canonical);
    assert!(EmailAddress::parse(given).is_ok_and(|again| same(&again)), "{typed:?}");
    let saved = EmailAddress::from_saved(given.to_owned(), canonical.to_owned());
    assert!(saved.is_ok_and(|again| same(&again)), "{typed:?}");
    let normal = EmailAddress::parse(canonical);
    assert!(normal.is_ok_and(|normal| normal.canonical() == canonical), "{typed:?}: {canonical:?}");
    assert!(typed.contains(given) && given.len() <= EmailAddress::MAX_BYTES, "{typed:?}");
    assert!(canonical.len() <= EmailAddress::MAX_BYTES, "{typed:?}");
    // It must not end a mail header, or begin a second address.
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&b);
    assert!(canonical.bytes().all(is_plain), "{typed:?}: {canonical:?}");
    assert_eq!(canonical.matches('@').count(), 1, "{typed:?}: {canonical:?}");
    assert!(!given.chars().any(|c| c.is_control() || c.is_whitespace()), "{typed:?}");
}

/// Checks usernames: an accepted one parses to the same value again, is short, and is visible.
pub fn username(input: &[u8]) {
    let Ok(typed) = std::str::from_utf8(input) else { return };
    let Ok(name) = Username::parse(typed) else { return };
    assert_eq!(Username::parse(name.as_str()), Ok(name.clone()), "{typed:?}");
    assert_eq!(Username::from_saved(name.as_str().to_owned()), Ok(name.clone()), "{typed:?}");
    assert!((1..=Username::MAX_CHARS).contains(&name.as_str().chars().count()), "{typed:?}");
    assert!(!name.as_str().chars().any(char::is_control), "{typed:?}");
    assert_eq!(name.as_str(), name.as_str().trim(), "{typed:?}");
}

/// Checks the page after a login: browsers take an accepted path for one on this site, and it
/// survives in a query.
pub fn next(input: &[u8]) {
    let Ok(asked) = std::str::from_utf8(input) else { return };
    let Some(next) = Next::parse(asked) else { return };
    assert_eq!(next.as_str(), asked);
    for site in ["https://site.example/login?next=%2F", "http://127.0.0.1:8000/auth/login"] {
        let site = Url::parse(site).ok();
        let led = site.as_ref().and_then(|site| site.join(asked).ok());
        let origins = (site.map(|site| site.origin()), led.map(|led| led.origin()));
        assert!(origins.0.is_some() && origins.0 == origins.1, "{asked:?}");
    }
    assert!(asked.bytes().all(|b| b.is_ascii_graphic()), "{asked:?} breaks a header");
    let carried = with_next("/login", Some(&next));
    let query = carried.strip_prefix("/login?").unwrap_or_default();
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    assert_eq!(pairs, [(Cow::from("next"), Cow::from(asked))]);
}

/// Checks lines of `Cookie` headers: a value that is found is the only one with exactly this name,
/// and a token in it can be written in one way only.
pub fn cookies(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let headers: Vec<&str> = text.lines().collect();
    for name in ["session", "__Host-session", "remember_token"] {
        let Some(value) = cookies::find(headers.iter().copied(), name) else { continue };
        let pair = format!("{name}={value}");
        let all = headers.iter().flat_map(|header| header.split(';'));
        let named = all.map(|found| found.trim_matches([' ', '\t']));
        let named = named.filter(|found| found.split_once('=').is_some_and(|(n, _)| n == name));
        assert_eq!(named.collect::<Vec<_>>(), [pair.as_str()], "{text:?}");
        let doubled = headers.iter().copied().chain([pair.as_str()]);
        assert_eq!(cookies::find(doubled, name), None, "{text:?}");
        for nearly in [format!("x{pair}"), format!("%73{pair}"), format!("{name} ={value}")] {
            assert_eq!(cookies::find([nearly.as_str()].into_iter(), name), None, "{text:?}");
        }
        if let Ok(token) = SecretToken::parse(value) {
            assert_eq!(*token.expose(), value);
        }
        if let Ok(token) = RememberToken::parse(value) {
            assert_eq!(*token.expose(), value);
        }
    }
}

/// The fields of the login form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    email: String,
    password: String,
    remember: String,
    next: String,
}

/// Checks the bodies of forms: an accepted field equals, byte for byte, what was sent once under its
/// name.
pub fn form(input: &[u8]) {
    let Ok(fields) = submitted::parse::<Fields>(input) else { return };
    let decode = |text: &[u8]| {
        let spaces: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
        percent_encoding::percent_decode(&spaces).collect::<Vec<u8>>()
    };
    let mut sent: HashMap<Vec<u8>, Vec<Vec<u8>>> = HashMap::new();
    for pair in input.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
        let mut parts = pair.splitn(2, |b| *b == b'=');
        let mut part = || decode(parts.next().unwrap_or_default());
        let (name, value) = (part(), part());
        sent.entry(name).or_default().push(value);
    }
    let Fields { email, password, remember, next } = fields;
    for (name, value) in
        [("email", email), ("password", password), ("remember", remember), ("next", next)]
    {
        let sent = sent.remove(name.as_bytes()).unwrap_or_default();
        assert!(sent.len() <= 1, "{name} was sent {} times", sent.len());
        let sent = sent.into_iter().next().unwrap_or_default();
        assert_eq!(value.as_bytes(), sent, "{name}");
    }
}

/// Checks the headers of proxies: a line that begins with `P:` is what a client wrote, one with `F:`
/// belongs to `Forwarded`, any other to `X-Forwarded-For`. What stands left of an address that is not
/// a trusted proxy's must not change the result.
pub fn forwarded(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let [mut forged, mut forwarded, mut hops] = [const { Vec::new() }; 3];
    for line in text.lines() {
        match line.split_at_checked(2) {
            Some(("P:", rest)) => forged.push(rest),
            Some(("F:", rest)) => forwarded.push(rest),
            _ => hops.push(line),
        }
    }
    let trusted = ["10.0.0.0/8", "127.0.0.1/32", "fe80::/10", "::ffff:192.0.2.0/120"];
    let proxies: Vec<IpNet> = trusted.iter().filter_map(|net| net.parse().ok()).collect();
    let [near, far] = [[127, 0, 0, 1], [203, 0, 113, 7]].map(IpAddr::from);
    assert_eq!(client::address(far, &hops, &forwarded, &proxies), far);

    let seen = client::address(near, &hops, &forwarded, &proxies);
    assert_eq!(seen, seen.to_canonical());
    let named = client::address(near, &hops, &[], &proxies);
    assert!(hops.is_empty() || seen == named, "{text:?}");
    let (first_hops, first_forwarded) = (joined(&forged, &hops), joined(&forged, &forwarded));
    let by_hops = |lines: &[&str]| client::address(near, lines, &[], &proxies);
    let by_forwarded = |lines: &[&str]| client::address(near, &[], lines, &proxies);
    for (named, longer) in [
        (by_hops(&hops), by_hops(&beginning(&first_hops, &hops))),
        (by_forwarded(&forwarded), by_forwarded(&beginning(&first_forwarded, &forwarded))),
    ] {
        assert!(longer == named || client::is_proxy(&proxies, named), "{text:?}");
    }
}

/// Returns what a client wrote and what a proxy appended to it, as the first line of a header.
fn joined(forged: &[&str], lines: &[&str]) -> String {
    forged.iter().chain(lines.iter().take(1)).copied().collect::<Vec<_>>().join(",")
}

/// Returns the same header with another first line.
fn beginning<'a>(first: &'a str, lines: &[&'a str]) -> Vec<&'a str> {
    [first].into_iter().chain(lines.iter().skip(1).copied()).collect()
}

/// Checks configurations: a file, then after each NUL an environment variable. A refusal is one line;
/// an accepted configuration is within its limits, and reading back what is shown gives the same.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.split('\0');
    let mut figment = defaults().merge(Toml::string(parts.next().unwrap_or_default()).nested());
    let variables = parts.filter_map(|part| part.split_once('='));
    for (name, value) in variables.filter(|(_, value)| is_readable(value)) {
        let value = value.parse::<Value>().unwrap_or_else(|never| match never {});
        let key = own_key(&name.to_ascii_lowercase());
        figment = figment.merge(Serialized::from(nest(&key, value), Profile::Global));
    }
    let figment = figment.select("release");
    // The contents of other files are not the parser's concern.
    if figment.contains("countersign.database_url_file") || figment.contains("template_dir") {
        return;
    }
    let settings = match Settings::read(figment, None) {
        Ok(settings) => settings,
        Err(failure) => {
            let failure = failure.to_string();
            assert!(!failure.is_empty() && !failure.chars().any(char::is_control), "{failure:?}");
            return;
        }
    };
    assert!(settings.auth().check().is_ok());
    assert!(settings.public_url().is_ok_and(Url::has_host));
    let shown = |settings: &Settings| {
        let keys = serde_json::to_value(&settings.keys).unwrap_or_default();
        lines("", &keys).join("\n")
    };
    let written = format!("[default.countersign]\n{}", shown(&settings));
    let again = defaults().merge(Toml::string(&written).nested()).select("release");
    match Settings::read(again, None) {
        Ok(again) => assert_eq!(shown(&again), shown(&settings)),
        Err(failure) => assert_eq!(failure.to_string(), "", "{written}"),
    }
}
