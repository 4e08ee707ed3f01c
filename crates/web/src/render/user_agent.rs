//! Names browsers in words.

use woothee::parser::Parser;

/// Returns words such as "Firefox on Linux", as far as the `User-Agent` tells.
pub(crate) fn in_words(user_agent: Option<&str>) -> String {
    let Some(user_agent) = user_agent else { return "Unknown browser".to_owned() };
    let known = |name: &&str| !matches!(*name, "" | "UNKNOWN" | "HTTP Library");
    let parsed = Parser::new().parse(user_agent);
    let browser = parsed.as_ref().map(|parsed| parsed.name).filter(known);
    let system = parsed.as_ref().map(|parsed| parsed.os).filter(known);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("A program on {system}"),
        // Programs put their name first: "curl/8.5.0".
        (None, None) => user_agent.split(['/', ' ']).next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_systems_are_named_in_words() {
        for (user_agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like \
                 Gecko) Version/26.0 Safari/605.1.15",
                "Safari on Mac OSX",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/142.0.0.0 Safari/537.36",
                "Chrome on Windows 10",
            ),
            ("curl/8.5.0", "curl"),
        ] {
            assert_eq!(in_words(Some(user_agent)), words, "{user_agent}");
        }
        assert_eq!(in_words(None), "Unknown browser");
    }
}
