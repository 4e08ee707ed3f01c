use std::fmt;

use unicode_security::MixedScript;
use unicode_security::confusable_detection::skeleton;

use crate::text::is_invisible;

/// An email address: what a user logs in with.
///
/// It keeps two forms. [`as_str`](Self::as_str) is what the person typed and what mail is sent to;
/// [`canonical`](Self::canonical) is what identifies them, in lower case and with the host in its
/// ASCII (IDNA) form, so that `Ada@Bücher.example` and `ada@xn--bcher-kva.example` are one user.
/// Two addresses are equal when their canonical forms are.
#[derive(Clone, Debug)]
pub struct EmailAddress {
    given: String,
    canonical: String,
}

/// The reason why a text cannot be an [`EmailAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Nothing was typed.
    #[error("the email address is empty")]
    Empty,
    /// Longer than RFC 5321, section 4.5.3.1, lets a mailbox be.
    #[error("the email address has {got} bytes, {max} are allowed")]
    TooLong {
        /// The most bytes an address may have.
        max: usize,
        /// How many it has, with the host in its ASCII form where it is another.
        got: usize,
    },
    /// The part before the `@` is longer than RFC 5321, section 4.5.3.1.1, lets it be.
    #[error("the part before the @ has {got} characters, {max} are allowed")]
    LocalPartTooLong {
        /// The most characters it may have.
        max: usize,
        /// How many it has.
        got: usize,
    },
    /// Not of the form `name@host`.
    #[error("the email address is not of the form name@host")]
    Malformed,
    /// The part before the `@` is not one that mail systems agree on.
    #[error("the part before the @ is malformed")]
    MalformedLocalPart,
    /// The part after the `@` is not the name of a host on the internet.
    #[error("the part after the @ is malformed")]
    MalformedHost,
    /// A character that cannot be seen.
    #[error("the email address holds an invisible character: {}", .0.escape_unicode())]
    Invisible(char),
    /// A character before the `@` that is not ASCII.
    #[error("the part before the @ holds a character that is not ASCII: {}", .0.escape_unicode())]
    NotAscii(char),
    /// A letter after the `@` that could be taken for another.
    #[error("the part after the @ holds a letter that looks like another: {}", .0.escape_unicode())]
    LookAlike(char),
}

impl EmailAddress {
    /// The most bytes an address may have: RFC 5321, section 4.5.3.1.3, less the angle brackets.
    pub const MAX_BYTES: usize = 254;
    /// The most bytes before the `@`: RFC 5321, section 4.5.3.1.1.
    const MAX_LOCAL_BYTES: usize = 64;

    /// Reads an address as a person typed it; white space around it is dropped.
    ///
    /// The part before the `@` is what RFC 5322 calls a dot-atom, in ASCII. Quoted names, comments
    /// and address literals are refused: no mail provider gives them out, and every parser reads
    /// them differently.
    ///
    /// # Errors
    ///
    /// When the text is no such address.
    pub fn parse(typed: &str) -> Result<Self, EmailError> {
        let given = typed.trim();
        if given.is_empty() {
            return Err(EmailError::Empty);
        }
        check_length(given)?;
        let (local, host) = given.split_once('@').ok_or(EmailError::Malformed)?;
        check_local_part(local)?;
        let canonical = format!("{}@{}", local.to_ascii_lowercase(), canonical_host(host)?);
        check_length(&canonical)?;
        Ok(Self { given: given.to_owned(), canonical })
    }

    /// Takes an address as a store kept it, in both forms. It was parsed before it was saved: a rule
    /// that has become stricter since then locks nobody out.
    ///
    /// # Errors
    ///
    /// When these can never have been the two forms of an address.
    pub fn from_saved(given: String, canonical: String) -> Result<Self, EmailError> {
        let is_canonical = canonical.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
        if !is_canonical || !canonical.contains('@') || !given.contains('@') {
            return Err(EmailError::Malformed);
        }
        Ok(Self { given, canonical })
    }

    /// Returns the address as it was given.
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// Returns the form that identifies the user: ASCII, in lower case.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

fn check_length(address: &str) -> Result<(), EmailError> {
    match address.len() {
        got if got > EmailAddress::MAX_BYTES => {
            Err(EmailError::TooLong { max: EmailAddress::MAX_BYTES, got })
        }
        _ => Ok(()),
    }
}

fn check_local_part(local: &str) -> Result<(), EmailError> {
    // Any letter outside ASCII has an ASCII twin somewhere, and mail systems that deliver to such
    // names are rare: an address that could be taken for another's is not worth it.
    match local.chars().find(|c| !c.is_ascii() || is_invisible(*c)) {
        Some(c) if is_invisible(c) => return Err(EmailError::Invisible(c)),
        Some(c) => return Err(EmailError::NotAscii(c)),
        None => {}
    }
    if local.len() > EmailAddress::MAX_LOCAL_BYTES {
        let (max, got) = (EmailAddress::MAX_LOCAL_BYTES, local.len());
        return Err(EmailError::LocalPartTooLong { max, got });
    }
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    if !local.split('.').all(is_atom) {
        return Err(EmailError::MalformedLocalPart);
    }
    Ok(())
}

fn canonical_host(host: &str) -> Result<String, EmailError> {
    if let Some(c) = host.chars().find(|c| is_invisible(*c)) {
        return Err(EmailError::Invisible(c));
    }
    for label in host.split('.').filter(|label| !label.is_ascii()) {
        check_look_alikes(label)?;
    }
    let ascii = idna::domain_to_ascii_strict(host).map_err(|_| EmailError::MalformedHost)?;
    // An encoded label is looked at in the letters that a person would see.
    let (shown, decoded) = idna::domain_to_unicode(&ascii);
    decoded.map_err(|_| EmailError::MalformedHost)?;
    for label in shown.split('.').filter(|label| !label.is_ascii()) {
        check_look_alikes(label)?;
    }
    let mut labels = ascii.rsplit('.');
    let top = labels.next().unwrap_or_default();
    if labels.next().is_none() || top.bytes().all(|b| b.is_ascii_digit()) {
        return Err(EmailError::MalformedHost);
    }
    Ok(ascii)
}

/// Refuses a label outside ASCII that mixes scripts (UTS 39, section 5.1) or that could be taken
/// for an ASCII one (UTS 39, section 4): a Cyrillic `аррӏе`, a full-width `ｅxample`.
fn check_look_alikes(label: &str) -> Result<(), EmailError> {
    let misleading = || label.chars().find(|c| !c.is_ascii()).map(EmailError::LookAlike);
    if !label.is_single_script() || skeleton(label).all(|c| c.is_ascii()) {
        return Err(misleading().unwrap_or(EmailError::MalformedHost));
    }
    Ok(())
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for EmailAddress {}

impl std::hash::Hash for EmailAddress {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(typed: &str) -> String {
        EmailAddress::parse(typed).unwrap().canonical().to_owned()
    }

    #[test]
    fn an_address_is_kept_as_given_and_identified_by_its_canonical_form() {
        let email = EmailAddress::parse("\u{3000} Ada.Lovelace+notes@Example.ORG\u{A0}\n").unwrap();
        assert_eq!(email.as_str(), "Ada.Lovelace+notes@Example.ORG");
        assert_eq!(email.canonical(), "ada.lovelace+notes@example.org");
        assert_eq!(email, EmailAddress::parse("ada.lovelace+NOTES@example.org").unwrap());
    }

    #[test]
    fn a_host_in_letters_and_the_same_host_encoded_are_one() {
        assert_eq!(canonical("ada@Bücher.example"), "ada@xn--bcher-kva.example");
        assert_eq!(canonical("ada@xn--bcher-kva.example"), "ada@xn--bcher-kva.example");
        assert_eq!(canonical("ada@例え.jp"), "ada@xn--r8jz45g.jp");
    }

    #[test]
    fn what_is_not_name_at_host_is_refused() {
        for (typed, why) in [
            ("", EmailError::Empty),
            ("  \t", EmailError::Empty),
            ("ada", EmailError::Malformed),
            ("@example.org", EmailError::MalformedLocalPart),
            ("ada..l@example.org", EmailError::MalformedLocalPart),
            (".ada@example.org", EmailError::MalformedLocalPart),
            ("\"ada l\"@example.org", EmailError::MalformedLocalPart),
            ("ada lovelace@example.org", EmailError::MalformedLocalPart),
            ("ada@", EmailError::MalformedHost),
            ("ada@localhost", EmailError::MalformedHost),
            ("ada@example..org", EmailError::MalformedHost),
            ("ada@-example.org", EmailError::MalformedHost),
            ("ada@example.org.", EmailError::MalformedHost),
            ("ada@exa_mple.org", EmailError::MalformedHost),
            ("ada@[127.0.0.1]", EmailError::MalformedHost),
            ("ada@127.0.0.1", EmailError::MalformedHost),
            ("ada@b@example.org", EmailError::MalformedHost),
            ("ada@example.org, bob@example.org", EmailError::MalformedHost),
        ] {
            assert_eq!(EmailAddress::parse(typed), Err(why), "{typed:?}");
        }
    }

    #[test]
    fn characters_that_mislead_are_refused() {
        for (typed, why) in [
            ("аda@example.org", EmailError::NotAscii('а')), // Cyrillic
            ("müller@example.org", EmailError::NotAscii('ü')),
            // Cyrillic between Latin letters, Cyrillic throughout, and the same encoded.
            ("ada@exаmple.org", EmailError::LookAlike('а')),
            ("ada@аррӏе.example", EmailError::LookAlike('а')),
            ("ada@xn--80ak6aa92e.example", EmailError::LookAlike('а')),
            ("ada@ｅxample.org", EmailError::LookAlike('ｅ')),
            ("a\u{200B}da@example.org", EmailError::Invisible('\u{200B}')),
            ("ada@exam\u{200B}ple.org", EmailError::Invisible('\u{200B}')),
            ("ada\u{202E}@example.org", EmailError::Invisible('\u{202E}')),
            ("a\nda@example.org", EmailError::Invisible('\n')),
            ("ada\0@example.org", EmailError::Invisible('\0')),
            ("a\u{FFFD}@example.org", EmailError::Invisible('\u{FFFD}')),
        ] {
            let error = EmailAddress::parse(typed).unwrap_err();
            assert_eq!(error, why, "{typed:?}");
        }
    }

    #[test]
    fn an_address_is_at_most_254_bytes_and_64_before_the_at() {
        assert!(EmailAddress::parse(&format!("{}@example.org", "a".repeat(64))).is_ok());
        assert_eq!(
            EmailAddress::parse(&format!("{}@example.org", "a".repeat(65))),
            Err(EmailError::LocalPartTooLong { max: 64, got: 65 })
        );
        let long = format!("ada@{}.org", "a.".repeat(130));
        assert_eq!(EmailAddress::parse(&long), Err(EmailError::TooLong { max: 254, got: 268 }));
    }
}
