use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// What is shown in the place of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

/// A secret setting. It is shown redacted, and the key `<key>_file` names a file that holds it; both
/// follow from the type of the field alone.
#[derive(Clone, Default, Deserialize)]
#[serde(rename = "countersign::Secret")]
pub(crate) struct Secret<T>(T);

/// What may be shown of a secret: nothing, unless a type says otherwise.
pub(crate) trait Redact {
    /// Returns the value without its secret part.
    fn redacted(&self) -> String {
        HIDDEN.to_owned()
    }
}

impl Redact for String {}

impl<T> Secret<T> {
    /// The name under which serde knows the type, and by which [`Schema`](super::schema::Schema)
    /// finds the keys that hold a secret.
    pub(super) const NAME: &str = "countersign::Secret";

    /// Returns the secret itself.
    pub(crate) fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: From<String>> FromStr for Secret<T> {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned().into()))
    }
}

impl<T: Redact> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.redacted())
    }
}

impl<T: Redact> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.redacted())
    }
}

/// Reads a secret from a file, without what an editor adds: a byte order mark, and blanks, tabs and
/// line ends at the end.
pub(crate) fn read(path: &Path) -> std::io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.trim_end_matches([' ', '\t', '\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_exposed_and_never_shown() {
        let secret: Secret<String> = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret:?}"), HIDDEN);
        assert_eq!(serde_json::to_value(&secret).unwrap(), HIDDEN);
    }

    #[test]
    fn a_file_holds_the_secret_and_what_an_editor_adds() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("secret");
        for text in ["a b", "a b\n", "\u{feff}a b", "\u{feff}a b \t\r\n\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap(), "a b", "{text:?}");
        }
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read(&path).is_err());
    }
}
