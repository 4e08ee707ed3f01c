//! The keys of a configuration, as the types tell them that it is read into.

use std::cell::Cell;
use std::iter;
use std::path::Path;

use rocket::figment::value::{Dict, Value};
use serde::de::value::{Error, MapDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::secret::{self, Secret};
use crate::program::failure::Failure;

/// Stands in a path for any key of a map.
const ANY: &str = "*";

/// Every key with what it takes.
pub(crate) struct Schema(Vec<(Vec<&'static str>, Takes)>);

/// What a key takes.
#[derive(Clone, Copy)]
enum Takes {
    Value,
    Secret,
    OneOf(&'static [&'static str]),
    Table(&'static [&'static str]),
    Map,
}

impl Schema {
    /// Asks a type for its keys, level by level.
    pub(crate) fn of<T: DeserializeOwned>() -> Self {
        let mut keys = Vec::new();
        let mut open = vec![Vec::new()];
        while let Some(path) = open.pop() {
            let takes = Cell::new(Takes::Value);
            // A probe holds no value and so ends in an error; what was asked of it is the answer.
            let _ = T::deserialize(Probe { path: &path, takes: &takes });
            let below: &[&str] = match takes.get() {
                Takes::Table(names) => names,
                Takes::Map => &[ANY],
                _ => &[],
            };
            open.extend(below.iter().map(|name| [&path[..], &[name]].concat()));
            keys.push((path, takes.get()));
        }
        Self(keys)
    }

    fn takes(&self, path: &[String]) -> Option<Takes> {
        let is_it = |key: &[&str]| {
            let mut both = key.iter().zip(path);
            key.len() == path.len() && both.all(|(name, part)| *name == ANY || name == part)
        };
        self.0.iter().find(|(key, _)| is_it(key)).map(|(_, takes)| *takes)
    }

    /// Returns the words that may stand at a key, if it takes one of several.
    pub(crate) fn words(&self, path: &[String]) -> Option<&'static [&'static str]> {
        match self.takes(path)? {
            Takes::OneOf(words) => Some(words),
            _ => None,
        }
    }

    /// Returns the keys of the table at `path`, whose fields are `names`, with the `_file` keys.
    pub(crate) fn known(&self, table: &[String], names: &[&str]) -> Vec<String> {
        let key = |name: &str| [table, &[name.to_owned()]].concat();
        let is_secret = |name: &str| matches!(self.takes(&key(name)), Some(Takes::Secret));
        let files = |name: &str| is_secret(name).then(|| file_key(name));
        let both = names.iter().flat_map(|name| iter::once((*name).to_owned()).chain(files(name)));
        both.map(|name| key(&name).join(".")).collect()
    }

    /// Returns whether a key holds a secret by its name, wherever it stands: it may have been misplaced.
    pub(crate) fn is_secret(&self, name: &str) -> bool {
        self.secrets().filter_map(|path| path.last()).any(|secret| name.ends_with(secret))
    }

    fn secrets(&self) -> impl Iterator<Item = &[&'static str]> {
        let secrets = self.0.iter().filter(|(_, takes)| matches!(takes, Takes::Secret));
        secrets.map(|(path, _)| &path[..])
    }

    /// Reads the file that stands at the key `<key>_file` of each secret, and puts its text at the
    /// key itself.
    pub(crate) fn read_secret_files(&self, keys: &mut Dict) -> Result<(), Failure> {
        self.secrets().try_for_each(|path| read_below(keys, "", path))
    }
}

/// Returns the key that names the file of a secret.
fn file_key(key: &str) -> String {
    format!("{key}_file")
}

fn read_below(table: &mut Dict, prefix: &str, path: &[&str]) -> Result<(), Failure> {
    match path {
        [] | [ANY] => Ok(()),
        [key] => read_file(table, prefix, key),
        [name, rest @ ..] => table.iter_mut().try_for_each(|(key, value)| match value {
            Value::Dict(_, below) if *name == ANY || key == name => {
                read_below(below, &format!("{prefix}{key}."), rest)
            }
            _ => Ok(()),
        }),
    }
}

fn read_file(table: &mut Dict, prefix: &str, key: &str) -> Result<(), Failure> {
    let file_key = file_key(key);
    let Some(file) = table.remove(&file_key) else { return Ok(()) };
    if table.contains_key(key) {
        let why = format!("both {prefix}{key} and {prefix}{file_key} are set: keep one");
        return Err(Failure::new(why));
    }
    let Some(path) = file.as_str() else {
        let shown = serde_json::to_string(&file).unwrap_or_default();
        return Err(Failure::new(format!(
            "{prefix}{file_key} = {shown} is not allowed: use the path of a file, such as \
             \"/run/secrets/{key}\""
        )));
    };
    let text = secret::read(Path::new(path)).map_err(|error| {
        Failure::new(format!("{prefix}{file_key} = {path:?} cannot be read: {error}"))
    })?;
    table.insert(key.to_owned(), Value::String(file.tag(), text));
    Ok(())
}

/// Goes down a path through the types that ask it for values, and notes what is asked at its end.
#[derive(Clone, Copy)]
struct Probe<'p> {
    path: &'p [&'static str],
    takes: &'p Cell<Takes>,
}

impl Probe<'_> {
    fn end<V>(self, takes: Takes) -> Result<V, Error> {
        self.takes.set(takes);
        Err(Error::custom("a probe holds no value"))
    }

    fn go_down<'de, V: Visitor<'de>>(self, takes: Takes, visitor: V) -> Result<V::Value, Error> {
        let Some((name, path)) = self.path.split_first() else { return self.end(takes) };
        visitor.visit_map(MapDeserializer::new(iter::once((*name, Self { path, ..self }))))
    }
}

impl IntoDeserializer<'_> for Probe<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.end(Takes::Value)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            Secret::<()>::NAME => self.end(Takes::Secret),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.end(Takes::OneOf(words))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.go_down(Takes::Table(names), visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.go_down(Takes::Map, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rocket::figment::Figment;
    use rocket::figment::providers::{Format, Toml};
    use serde::Deserialize;
    use tempfile::TempDir;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Keys {
        port: u16,
        key: Option<Secret<String>>,
        providers: HashMap<String, Provider>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Provider {
        id: String,
        client_secret: Secret<String>,
    }

    fn read(text: &str) -> Result<Keys, String> {
        let mut keys: Dict = Figment::from(Toml::string(text)).extract().unwrap();
        Schema::of::<Keys>().read_secret_files(&mut keys).map_err(|failure| failure.to_string())?;
        Value::from(keys).deserialize().map_err(|error| error.to_string())
    }

    #[test]
    fn every_secret_may_stand_in_a_file_and_nothing_else_may() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").unwrap();
        let keys = read(&format!("port = 1\nkey_file = {path:?}")).unwrap();
        assert_eq!((keys.port, keys.key.unwrap().expose().as_str()), (1, "hunter2"));
        let google = format!("[providers.google]\nid = \"a\"\nclient_secret_file = {path:?}");
        let provider = &read(&google).unwrap().providers["google"];
        assert_eq!(
            (provider.id.as_str(), provider.client_secret.expose().as_str()),
            ("a", "hunter2")
        );
        for (text, why) in [
            ("port_file = \"secret\"", "port_file"),
            ("key = \"a\"\nkey_file = \"b\"", "both key and key_file are set: keep one"),
            ("key_file = \"absent\"", "key_file = \"absent\" cannot be read: No such file"),
            ("key_file = 3", "key_file = 3 is not allowed: use the path of a file"),
            (
                "[providers.x]\nclient_secret_file = \"no\"",
                "providers.x.client_secret_file = \"no\"",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn the_known_keys_of_a_table_include_those_of_files() {
        let schema = Schema::of::<Keys>();
        let root = schema.known(&[], &["port", "key", "providers"]);
        assert_eq!(root, ["port", "key", "key_file", "providers"]);
        let google = ["providers".to_owned(), "google".to_owned()];
        let known = schema.known(&google, &["id", "client_secret"]).join(" ");
        assert_eq!(
            known,
            "providers.google.id providers.google.client_secret providers.google.client_secret_file"
        );
        assert!(schema.is_secret("client_secret") && !schema.is_secret("client_secret_file"));
    }
}
