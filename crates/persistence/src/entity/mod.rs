//! The tables as they are today.

pub(crate) mod audit;
pub(crate) mod known_browser;
pub(crate) mod remembered;
pub(crate) mod session;
pub(crate) mod throttle;
pub(crate) mod user;

/// Does the same with the entity of each table whose rows come and go, in an order in which each
/// comes after those that it points to.
macro_rules! with_each_growing_table {
    ($Entity:ident => $done:expr) => {{
        with_each_growing_table!(of user, $Entity => $done);
        with_each_growing_table!(of remembered, $Entity => $done);
        with_each_growing_table!(of session, $Entity => $done);
        with_each_growing_table!(of throttle, $Entity => $done);
        with_each_growing_table!(of known_browser, $Entity => $done);
        with_each_growing_table!(of audit::event, $Entity => $done);
    }};
    (of $($room:ident)::+, $Entity:ident => $done:expr) => {{
        type $Entity = $crate::entity::$($room)::+::Entity;
        $done
    }};
}

/// Does the same with the entity of each table. Last comes `audit_ends`, which has one row from its
/// migration on.
macro_rules! with_each_table {
    ($Entity:ident => $done:expr) => {{
        with_each_growing_table!($Entity => $done);
        with_each_growing_table!(of audit::ends, $Entity => $done);
    }};
}

pub(crate) use {with_each_growing_table, with_each_table};
