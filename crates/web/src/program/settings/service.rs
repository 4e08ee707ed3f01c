//! The variables that Kubernetes makes for each Service, which begin with the name of the Service.

use rocket::figment::value::Uncased;

/// Returns the names, without the prefix, of the variables that are made for Services called `countersign` or
/// `countersign-…`.
pub(super) fn variables<'v>(all: impl Iterator<Item = (Uncased<'v>, String)>) -> Vec<String> {
    let made = all.filter(|(name, value)| is_made(name.as_str(), value));
    made.map(|(name, _)| name.into_string()).collect()
}

fn is_made(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    // Two underscores are in keys of ours, and in no name of Kubernetes.
    let ends = name.match_indices('_').filter_map(|(at, _)| name.get(at + 1..));
    !name.contains("__") && std::iter::once(&*name).chain(ends).any(|end| has_form(end, value))
}

/// Returns whether a variable is `SERVICE_HOST`, `SERVICE_PORT` or `SERVICE_PORT_<NAME>`, `PORT`, or
/// `PORT_<NUMBER>_<PROTOCOL>` with `_PROTO`, `_PORT`, `_ADDR` or nothing at its end.
fn has_form(name: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    match name.split('_').collect::<Vec<_>>()[..] {
        ["SERVICE", "HOST" | "PORT"] => true,
        ["SERVICE", "PORT", ref named @ ..] => named.iter().all(|part| !part.is_empty()),
        // Without a URL it is somebody's port, and that key is Rocket's.
        ["PORT"] => is_url,
        ["PORT", number, "TCP" | "UDP" | "SCTP", ref of @ ..] => {
            let is_port = number.parse::<u16>().is_ok_and(|number| number > 0);
            is_port && matches!(of, [] | ["PROTO" | "PORT" | "ADDR"]) && (!of.is_empty() || is_url)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "tcp://10.96.0.12:8000";

    #[test]
    fn what_is_made_for_a_service_is_known_by_its_form() {
        for (name, value) in [
            ("SERVICE_HOST", "10.96.0.12"),
            ("SERVICE_PORT", "8000"),
            ("SERVICE_PORT_HTTP", "8000"),
            ("SERVICE_PORT_HTTP_ALT", "8000"),
            ("PORT", URL),
            ("PORT_8000_TCP", URL),
            ("PORT_8000_TCP_PROTO", "tcp"),
            ("PORT_53_UDP_PORT", "53"),
            ("PORT_9_SCTP_ADDR", "10.96.0.12"),
            ("METRICS_SERVICE_HOST", "10.96.0.13"),
            ("METRICS_PORT", URL),
            ("DB_MAIN_PORT_5432_TCP_ADDR", "10.96.0.14"),
        ] {
            assert!(is_made(name, value) && is_made(&name.to_lowercase(), value), "{name}");
        }
    }

    #[test]
    fn whatever_has_another_form_is_somebodys_mistake() {
        for (name, value) in [
            ("", ""),
            ("SERVICE", ""),
            ("SERVICE_", ""),
            ("SERVICE_PORTS", "8000"),
            ("SERVICE_PORT_", "8000"),
            ("SERVICE_NAME", "x"),
            ("MYSERVICE_HOST", "x"),
            ("PORT", "8000"),
            ("METRICS_PORT", "9090"),
            ("PORTS", URL),
            ("PORT_", URL),
            ("PORT_8000", URL),
            ("PORT_0_TCP", URL),
            ("PORT_70000_TCP", URL),
            ("PORT_8000_TCP", "8000"),
            ("PORT_HTTP_TCP", URL),
            ("PORT_8000_ICMP", URL),
            ("PORT_8000_TCP_HOST", "x"),
            ("PORT_8000_TCP_ADDR_6", "x"),
            ("SESSION__SERVICE_HOST", "x"),
            ("SESSION__PORT", URL),
        ] {
            assert!(!is_made(name, value), "{name}");
        }
    }
}
