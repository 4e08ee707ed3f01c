//! The ids of records that wait for their place.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_domain::{Clock, SystemClock};
use sea_orm::prelude::Uuid;

/// Milliseconds since 1970, and a counter in the 12 bits below.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Makes a UUIDv7 (RFC 9562, method 1 of section 6.2). Each of a process is greater than the one before, so
/// that what one process writes keeps its order.
pub(crate) fn next_id(digest: &[u8; 32]) -> Uuid {
    let now = now() << 12;
    let next = |last: u64| now.max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    let place = next(last.unwrap_or_else(|last| last));
    let (version, variant) = (7 << 12, 0b10 << 62);
    let random = digest.first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
    Uuid::from_u64_pair((place >> 12 << 16) | version | (place & 0xfff), variant | (random >> 2))
}

/// Returns what the ids from a moment on are greater than, in milliseconds since 1970.
pub(crate) fn before(millis: u64) -> Uuid {
    Uuid::from_u64_pair(millis << 16, 0)
}

/// Returns milliseconds since 1970.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemClock.now().unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_however_many_are_made_in_a_millisecond() {
        let ids: Vec<_> = std::iter::repeat_with(|| next_id(&[0xa5; 32])).take(20_000).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        let text = ids[0].to_string();
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
    }
}
