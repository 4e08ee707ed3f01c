//! Where to go after a login: a page of this site and no other.

/// A path on this site to which somebody asked to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Next(String);

impl Next {
    const MAX_BYTES: usize = 2048;

    /// Reads a path; `None` unless every browser takes it for a path on this site. Browsers drop tabs
    /// and line breaks and read `\` as `/`, so only plain ASCII is accepted.
    pub(crate) fn parse(asked: &str) -> Option<Self> {
        let is_plain = |b: u8| (0x21..=0x7e).contains(&b) && b != b'\\';
        let is_path = asked.starts_with('/') && !asked.starts_with("//");
        let stays = is_path && asked.len() <= Self::MAX_BYTES && asked.bytes().all(is_plain);
        stays.then(|| Self(asked.to_owned()))
    }

    /// Returns the path with its query.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path with its query as an owned string.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Returns `path` with the page to come back to: `/login?next=%2Fblogs`.
pub(crate) fn with_next(path: &str, next: Option<&Next>) -> String {
    match next {
        Some(next) => {
            let next: String = form_urlencoded::byte_serialize(next.as_str().as_bytes()).collect();
            format!("{path}?next={next}")
        }
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_on_this_site_is_honoured() {
        for path in
            ["/", "/blogs", "/blogs?page=2&q=a%20b#top", "/a/../b", "/x//y", "/@evil.example"]
        {
            assert_eq!(Next::parse(path).unwrap().as_str(), path);
        }
    }

    #[test]
    fn what_leads_elsewhere_is_not() {
        for elsewhere in [
            "",
            "blogs",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "\t//evil.example",
            "/\n/evil.example",
            " /blogs",
            "https://evil.example/",
            "javascript:alert(1)",
            "http:/evil.example",
            "/blogs\r\nSet-Cookie: session=x",
            "/\u{2028}/evil.example",
            "/bl\u{f6}gs",
        ] {
            assert_eq!(Next::parse(elsewhere), None, "{elsewhere:?}");
        }
        assert_eq!(Next::parse(&format!("/{}", "a".repeat(2048))), None);
    }

    #[test]
    fn the_page_to_come_back_to_is_encoded() {
        let next = Next::parse("/blogs?page=2&q=a").unwrap();
        assert_eq!(with_next("/login", Some(&next)), "/login?next=%2Fblogs%3Fpage%3D2%26q%3Da");
        assert_eq!(with_next("/login", None), "/login");
    }
}
