//! What every store must do, as tests.
//!
//! In a test module of the crate that has the store, with tokio among its dev-dependencies:
//!
//! ```
//! # use countersign_domain::memory::MemoryStore;
//! countersign_domain::store_contract!(async || MemoryStore::default());
//! ```
//!
//! The argument is an async closure that makes an empty store for each test. After `optional:` it makes an
//! `Option` of one, for a store that is not available everywhere, and says by itself what is skipped.
//!
//! Each promise is a function in the `contract.rs` of the thing it is about. A test sees that all of them
//! are in the list of the macro.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a test says that a promise is broken by panicking"
)]

pub(crate) mod fixtures;
mod nothing;

pub use crate::audit::contract::*;
pub use crate::browser::contract::*;
pub use crate::factor::contract::*;
pub use crate::remembered::contract::*;
pub use crate::remembered::uses::contract::*;
pub use crate::session::contract::*;
pub use crate::site::contract::*;
pub use crate::throttle::contract::*;
pub use crate::user::contract::*;
pub use fixtures::{alike, any_record, record, remember_use};
pub use nothing::*;

/// Makes a test of each promise that a store gives; see the [module](crate::contract).
#[macro_export]
macro_rules! store_contract {
    ($make_store:expr) => {
        $crate::store_contract!(optional: async || Some(($make_store)().await));
    };
    (optional: $make_store:expr) => {
        $crate::store_contract!(@tests $make_store;
            a_user_reads_back_as_saved,
            an_email_address_belongs_to_one_user_in_every_spelling,
            one_of_many_who_register_an_address_at_once_gets_it,
            users_are_listed_in_the_order_they_registered,
            a_new_password_ends_all_sessions_but_the_one_kept,
            an_upgraded_hash_ends_nothing_and_never_undoes_a_new_password,
            a_disabled_user_has_no_session_and_gets_none,
            a_deleted_user_leaves_nothing,
            one_of_many_who_change_a_password_at_once_does,
            a_user_changes_only_while_their_basis_holds,
            a_renamed_user_keeps_all_else,
            a_user_gets_no_address_that_another_has,
            one_of_many_who_take_an_address_at_once_gets_it,
            what_belongs_to_a_user_ends_with_their_sessions,
            a_session_is_found_by_its_token_with_its_user,
            a_session_is_saved_only_while_what_it_rests_on_holds,
            the_oldest_sessions_end_when_there_are_too_many,
            a_session_is_touched_forwards_only,
            a_renewed_session_has_a_new_token_and_the_old_one_opens_nothing,
            a_session_is_ended_by_its_owner_alone,
            all_other_sessions_end_at_once,
            a_session_is_renewed_only_while_its_basis_holds,
            whoever_asks_in_an_ended_session_ends_nothing,
            only_dead_sessions_are_purged_and_only_so_many,
            a_session_that_begins_outlives_those_of_a_wrong_clock,
            sessions_from_the_future_are_purged,
            a_remembered_login_begins_with_a_session_or_not_at_all,
            a_session_is_refused_when_its_remembered_login_has_ended,
            a_used_secret_is_replaced,
            a_secret_that_was_replaced_a_moment_ago_is_a_parallel_request,
            a_secret_whose_successor_was_presented_is_a_theft_and_ends_everything,
            a_lost_answer_is_no_theft,
            a_copy_shows_when_both_have_used_a_secret,
            a_session_takes_the_place_of_the_earlier_one_of_its_login,
            a_parallel_request_whose_session_has_ended_begins_another,
            a_login_that_is_bound_ends_in_another_browser,
            a_use_that_changes_nothing_is_told_beforehand,
            the_least_used_logins_end_when_there_are_too_many,
            one_of_many_who_use_a_secret_at_once_replaces_it,
            an_expired_or_disabled_login_is_not_remembered,
            a_remembered_login_ends_with_any_of_its_sessions,
            a_new_password_ends_all_remembered_logins,
            ending_the_other_sessions_keeps_the_login_of_the_one_kept,
            remembered_logins_are_listed_and_ended_by_their_owner_alone,
            only_expired_logins_are_purged_and_only_so_many,
            a_remembered_login_from_the_future_is_unknown_and_purged,
            a_secret_that_was_replaced_in_the_future_joins_nothing,
            a_counter_lets_in_so_many_tries_and_the_next_one_later,
            a_try_is_counted_by_all_counters_or_by_none,
            of_many_tries_at_once_no_more_are_let_in_than_may,
            tries_are_taken_back_and_cleared,
            a_try_that_is_taken_back_begins_no_delay_anew,
            a_counter_with_a_growing_delay_is_kept,
            only_forgotten_counters_are_purged_and_only_so_many,
            a_count_from_the_future_is_forgotten_and_purged,
            a_browser_reads_back_as_saved,
            a_browser_that_shows_its_token_has_come_back,
            what_never_comes_back_evicts_no_browser,
            of_browsers_that_come_back_the_least_recently_used_are_forgotten,
            only_expired_browsers_are_purged_and_only_so_many,
            a_pending_login_reads_back_and_ends_in_time,
            a_pending_login_takes_so_many_tries_however_many_come_at_once,
            a_pending_login_ends_for_one_of_many,
            only_so_many_logins_of_a_user_wait_and_the_expired_are_purged,
            a_pending_login_from_the_future_ends_and_keeps_none_from_waiting,
            a_site_has_one_secret,
            the_last_cleaning_is_known,
            users_are_counted_by_what_their_hashes_cost,
            a_record_reads_back_as_written,
            what_is_done_is_recorded_with_it,
            what_is_not_done_is_not_recorded,
            the_chain_is_whole_however_many_write_at_once,
            records_are_found_by_what_is_asked_for,
            a_word_of_a_newer_version_is_kept,
            an_old_trail_loses_addresses_and_then_records,
            a_young_record_keeps_those_after_it,
            what_is_not_there_is_no_error,
        );
    };
    (@tests $make_store:expr; $($name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                if let Some(store) = ($make_store)().await {
                    $crate::contract::$name(&store).await;
                }
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// The names of the promises in all files `contract.rs` and in `contract/` below `folder`.
    fn promises(folder: &Path) -> Vec<String> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names.extend(promises(&path));
            } else if path.components().any(|part| part.as_os_str() == "contract")
                || path.ends_with("contract.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let starts = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
                names.extend(starts.map(|rest| rest.split('(').next().unwrap().to_owned()));
            }
        }
        names
    }

    #[test]
    fn every_promise_is_in_the_list_of_tests() {
        let found = promises(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        assert!(found.len() > 40, "{found:?}");
        let list = include_str!("contract.rs").split("(@tests").nth(1).unwrap();
        let missing: Vec<_> =
            found.iter().filter(|name| !list.contains(&format!(" {name},"))).collect();
        assert!(missing.is_empty(), "not in the list of `store_contract!`: {missing:?}");
    }
}
