//! Checks the properties of the fuzz targets within a second or two, with generated input and with the
//! fuzzer's corpora.
#![expect(clippy::unwrap_used, reason = "tests and their helpers fail by panicking")]

use std::path::Path;

use countersign_web::fuzzing;
use proptest::prelude::*;
use proptest::sample::select;

/// Generates texts from pieces that have a meaning to the parser, and from any characters.
fn soup(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = select(pieces).prop_map(str::to_owned);
    let noise = any::<char>().prop_map(String::from);
    let part = prop_oneof![6 => piece, 1 => noise, 1 => "[ -~]{1,3}"];
    prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

const EMAIL: &[&str] = &[
    "@",
    ".",
    "ada",
    "Ada+notes",
    "example",
    ".org",
    "Bücher",
    "xn--",
    "bcher-kva",
    "例え",
    "ß",
    "-",
    " ",
    "\t",
    "\u{301}",
    "\u{200d}",
    "İ",
    "。",
    "1",
    "\"",
    "аррӏе",
];
const USERNAME: &[&str] = &[
    "ada",
    " ",
    "e\u{301}",
    "\u{1fef}",
    "\u{3000}",
    "\u{2126}",
    "ﬁ",
    "\u{344}",
    "\u{200d}",
    "\u{fb1d}",
    "각",
    "\u{1100}\u{1161}",
    "\u{2000}",
    "\u{85}",
];
const NEXT: &[&str] = &[
    "/",
    "//",
    "\\",
    "..",
    ".",
    "%2f",
    "%5c",
    "?",
    "#",
    "@",
    ":",
    "evil.example",
    "https:",
    "\t",
    "\n",
    "a",
    "%00",
    "[",
    "]",
    ";",
];
const COOKIES: &[&str] = &[
    "session",
    "__Host-session",
    "remember_token",
    "=",
    ";",
    "; ",
    "\n",
    "\t",
    "%73",
    "\"",
    ".",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "\u{a0}",
];
const FORM: &[&str] = &[
    "email", "password", "remember", "next", "=", "&", "+", "%20", "%C3%A9", "%ff", "%", "%0",
    "ada", "é", "%26", "%3D", ";", "[]",
];
const FORWARDED: &[&str] = &[
    "\n",
    "\nF:",
    "\nP:",
    "for=",
    "For=\"",
    "\"",
    "\\",
    ",",
    ", ",
    ";",
    "by=",
    "10.1.1.1",
    "127.0.0.1",
    "198.51.100.1",
    "[2001:db8::1]",
    "::ffff:10.1.1.1",
    "fe80::1%eth0",
    ":80",
    ":_port",
    "unknown",
    "_x",
    "6.6.6.6",
    " ",
];
const CONFIGURATION: &[&str] = &[
    "[default]\n",
    "[default.countersign]\n",
    "[release.countersign.session]\n",
    "[countersign]\n",
    "[default.countersign.argon2]\n",
    "port = ",
    "idle_timeout = ",
    "trusted_proxies = ",
    "login_redirect = ",
    "public_url = ",
    "database_url = ",
    "registration = ",
    "memory_kib = ",
    "queue = ",
    "\"30m\"\n",
    "\"10.0.0.0/8\"\n",
    "[\"::1\"]\n",
    "\"/blogs\"\n",
    "\"https://example.com\"\n",
    "\"closed\"\n",
    "19456\n",
    "-1\n",
    "18446744073709551615\n",
    "1e9\n",
    "true\n",
    "\"\\u001b[31m\"\n",
    "\"\\n\" = 1\n",
    "\0SESSION__IDLE_TIMEOUT=",
    "\0TRUSTED_PROXIES=",
    "\0ARGON2__QUEUE=",
    "\0DATABASE_URL=",
    "\0A__B=",
    "\0__=",
    "1h",
    "{",
    "}",
    "[",
    "]",
    ",",
    "1",
    "sqlite::memory:",
    "postgres://a:b@c/d",
];
const PHC: &[&str] = &[
    "$argon2id$v=19$m=64,t=1,p=1",
    "$argon2i$v=16$m=8,t=2,p=1",
    "$argon2d$v=19$m=64,t=1,p=8",
    "$argon2id",
    "$v=19",
    "$m=64,t=1,p=1",
    ",keyid=AAAA",
    ",data=AAAA",
    "$c29tZXNhbHQ",
    "$c29tZQ",
    "$c29t",
    "$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$CTFhFdXPJO1aFaMaO6Mm5Q",
    "$c29tZXNhbHRzb21l",
    "$",
    "=",
    "m=",
    "4294967295",
    "$2b$12$",
];

/// The pieces for each property, sorted by its name like [`fuzzing::ALL`].
const PIECES: [&[&str]; 8] = [CONFIGURATION, COOKIES, EMAIL, FORM, FORWARDED, NEXT, PHC, USERNAME];

/// Checks one property with texts and with bytes.
fn holds(name: &str) {
    let config = ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() };
    let found = fuzzing::ALL.iter().zip(PIECES).find(|((found, _), _)| *found == name);
    let ((_, property), pieces) = found.unwrap();
    let texts = soup(pieces).prop_map(String::into_bytes);
    let bytes = prop::collection::vec(any::<u8>(), 0..64);
    proptest!(config, |(input in prop_oneof![9 => texts, 1 => bytes])| property(&input));
}

#[test]
fn an_email_address_that_is_accepted_is_read_the_same_again() {
    holds("email");
}

#[test]
fn a_username_that_is_accepted_is_read_the_same_again() {
    holds("username");
}

#[test]
fn a_path_to_go_on_to_stays_on_this_site_as_a_browser_resolves_it() {
    holds("next");
}

#[test]
fn a_cookie_that_is_found_is_the_only_one_of_exactly_that_name() {
    holds("cookies");
}

#[test]
fn a_form_that_is_accepted_says_what_was_sent_to_the_byte() {
    holds("form");
}

#[test]
fn nothing_left_of_an_address_that_nobody_vouches_for_changes_who_the_client_is() {
    holds("forwarded");
}

#[test]
fn a_saved_hash_that_is_accepted_can_be_computed_and_is_bearable() {
    holds("phc");
}

#[test]
fn a_configuration_is_refused_in_one_line_or_shown_as_it_could_be_written() {
    holds("configuration");
}

#[test]
fn what_the_fuzzer_has_kept_holds_too() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for (name, property) in fuzzing::ALL {
        let target = fuzz.join("fuzz_targets").join(format!("{name}.rs"));
        assert!(target.is_file(), "the fuzzer has no target {name}");
        let corpus: Vec<_> = std::fs::read_dir(fuzz.join("corpus").join(name)).unwrap().collect();
        assert!((1..=40).contains(&corpus.len()), "{name} has {} files", corpus.len());
        for file in corpus {
            property(&std::fs::read(file.unwrap().path()).unwrap());
        }
    }
}
