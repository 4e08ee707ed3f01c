//! Tests that every change to an audit trail is detected.

use std::net::IpAddr;

use countersign_domain::{
    Actor, ActorKind, AuditEntry, AuditRecord, AuthEvent, AuthEventKind, BrokenChain, ChainLink,
    Client, Duration, OffsetDateTime, Reason, SessionId, Subject, UserId,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn uuids() -> impl Strategy<Value = String> {
    any::<u32>().prop_map(|n| format!("01955555-5555-7555-8555-5555{n:08x}"))
}

fn clients() -> impl Strategy<Value = Client> {
    let address = prop::option::of(any::<IpAddr>());
    (address, prop::option::of("[ -~]{0,20}"))
        .prop_map(|(address, user_agent)| Client::new(address, user_agent.as_deref()))
}

fn events() -> impl Strategy<Value = AuthEvent> {
    let what = (
        select(AuthEventKind::ALL),
        prop::option::of(select(Reason::ALL)),
        (select(ActorKind::ALL), prop::option::of(uuids())),
        0_i64..4_000_000_000_000_000,
    );
    let subject = prop::option::of("[a-z]{1,8}:[a-z0-9-]{1,12}");
    let who = (prop::option::of(uuids()), prop::option::of(uuids()), subject);
    let whence = (clients(), prop::option::of("[a-f0-9-]{1,12}"));
    (what, who, whence).prop_map(|((kind, reason, actor, at), (user, session, subject), whence)| {
        let user_id = |written: Option<String>| written.as_deref().and_then(UserId::parse);
        let actor = Actor { kind: actor.0, user: user_id(actor.1) };
        let at = OffsetDateTime::UNIX_EPOCH + Duration::microseconds(at);
        let mut event = AuthEvent::new(kind, actor, at);
        event.reason = reason;
        event.user = user_id(user);
        event.session = session.as_deref().and_then(SessionId::parse);
        event.subject = subject.and_then(Subject::from_saved);
        (event.client, event.request_id) = whence;
        event
    })
}

fn chain(entries: Vec<(AuthEvent, [u8; 16])>) -> Vec<AuditRecord> {
    let mut last = ChainLink::default();
    let record = |(event, salt)| {
        let record = AuditEntry { event, salt }.record_after(last);
        last = record.link;
        record
    };
    entries.into_iter().map(record).collect()
}

fn trails(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<AuditRecord>> {
    prop::collection::vec((events(), any::<[u8; 16]>()), length).prop_map(chain)
}

/// Checks that the trail is whole, and ends with this link.
fn check(trail: &[AuditRecord], end: ChainLink) -> Result<(), BrokenChain> {
    let mut at = ChainLink::default();
    for record in trail {
        record.check(at)?;
        at = record.link;
    }
    let wrong_end = BrokenChain::WrongEnd { expected: end.number, found: at.number };
    if at == end { Ok(()) } else { Err(wrong_end) }
}

fn end(trail: &[AuditRecord]) -> ChainLink {
    trail.last().map(|record| record.link).unwrap_or_default()
}

/// Replaces the value of one field. Returns false if the value was the same before.
fn alter(record: &mut AuditRecord, field: usize, other: &AuditRecord) -> bool {
    let before = record.clone();
    let (event, new) = (&mut record.event, &other.event);
    match field {
        0 => event.kind = new.kind,
        1 => event.reason = new.reason,
        2 => event.actor = new.actor,
        3 => event.user = new.user,
        4 => event.session = new.session,
        5 => event.client.address = new.client.address,
        6 => event.client.user_agent.clone_from(&new.client.user_agent),
        7 => event.request_id.clone_from(&new.request_id),
        8 => event.at = new.at,
        9 => record.client_digest = other.client_digest,
        10 => record.link.hash = other.link.hash,
        11 => record.link.number = other.link.number + 17,
        12 => record.salt = other.salt.or(Some([0; 16])),
        13 => event.subject.clone_from(&new.subject),
        14 => event.actor.user = new.actor.user,
        _ => record.event = other.event.clone(),
    }
    *record != before
}
const FIELDS: usize = 16;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_whole(trail in trails(0..6)) {
        prop_assert_eq!(check(&trail, end(&trail)), Ok(()));
    }

    #[test]
    fn a_changed_field_shows_also_once_addresses_are_cut(
        mut trail in trails(1..5),
        place in any::<Index>(),
        field in 0..FIELDS,
        other in trails(1..2),
        cut in any::<bool>(),
    ) {
        let (end, place) = (end(&trail), place.index(trail.len()));
        if cut {
            trail.iter_mut().for_each(AuditRecord::cut);
            prop_assert_eq!(check(&trail, end), Ok(()));
        }
        prop_assume!(alter(&mut trail[place], field, &other[0]));
        prop_assert!(check(&trail, end).is_err(), "{:?}", trail[place]);
    }

    #[test]
    fn an_address_is_cut_and_nothing_else(mut trail in trails(1..5), place in any::<Index>()) {
        let end = end(&trail);
        let record = place.get(&trail).clone();
        let cut = &mut trail[record.link.number as usize - 1];
        cut.cut();
        prop_assert_eq!(cut.salt, None);
        prop_assert_eq!(&cut.event.client.user_agent, &record.event.client.user_agent);
        prop_assert_eq!(check(&trail, end), Ok(()));
    }

    // Without the salt, the addresses of a network cannot be told apart, so only the network may remain.
    #[test]
    fn a_lost_salt_hides_no_other_address(
        mut trail in trails(1..4),
        place in any::<Index>(),
        other in any::<IpAddr>(),
    ) {
        let (end, place) = (end(&trail), place.index(trail.len()));
        let mut cut = trail[place].clone();
        cut.cut();
        trail[place].salt = None;
        trail[place].event.client.address = Some(other);
        prop_assert_eq!(check(&trail, end).is_ok(), trail[place] == cut);
    }

    #[test]
    fn a_removed_record_shows(mut trail in trails(1..6), place in any::<Index>()) {
        let (end, place) = (end(&trail), place.index(trail.len()));
        trail.remove(place);
        prop_assert!(check(&trail, end).is_err());
    }

    #[test]
    fn records_that_changed_places_show(
        mut trail in trails(2..6),
        one in any::<Index>(),
        other in any::<Index>(),
        renumbered in any::<bool>(),
    ) {
        let end = end(&trail);
        let (one, other) = (one.index(trail.len()), other.index(trail.len()));
        prop_assume!(one != other);
        trail.swap(one, other);
        if renumbered {
            (1..).zip(&mut trail).for_each(|(number, record)| record.link.number = number);
        }
        prop_assert!(check(&trail, end).is_err());
    }

    #[test]
    fn a_record_that_was_put_in_between_shows(
        mut trail in trails(1..6),
        place in any::<Index>(),
        forged in (events(), any::<[u8; 16]>()),
        is_twin in any::<bool>(),
    ) {
        let end = end(&trail);
        let place = place.index(trail.len() + 1);
        let before = place.checked_sub(1).map(|before| trail[before].clone());
        let (event, salt) = forged;
        let link = before.as_ref().map(|record| record.link).unwrap_or_default();
        let forged = AuditEntry { event, salt }.record_after(link);
        trail.insert(place, before.filter(|_| is_twin).unwrap_or(forged));
        prop_assert!(check(&trail, end).is_err());
        // New numbers for all records do not hide the forged one either.
        (1..).zip(&mut trail).for_each(|(number, record)| record.link.number = number);
        prop_assert!(check(&trail, end).is_err());
    }
}
