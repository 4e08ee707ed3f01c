//! The list of all tables. What is to be done with each of them is done by it.

/// Does the same with the entity of each table whose rows come and go. A table comes after those that it
/// points to.
macro_rules! with_each_growing_table {
    ($Entity:ident => $done:expr) => {{
        with_each_growing_table!(of user::entity, $Entity => $done);
        with_each_growing_table!(of remembered::entity, $Entity => $done);
        with_each_growing_table!(of session::entity, $Entity => $done);
        with_each_growing_table!(of pending::entity, $Entity => $done);
        with_each_growing_table!(of throttle::entity, $Entity => $done);
        with_each_growing_table!(of browser::entity, $Entity => $done);
        with_each_growing_table!(of site::entity::secret, $Entity => $done);
        with_each_growing_table!(of audit::entity::queue, $Entity => $done);
        with_each_growing_table!(of audit::entity::event, $Entity => $done);
    }};
    (of $($room:ident)::+, $Entity:ident => $done:expr) => {{
        type $Entity = $crate::$($room)::+::Entity;
        $done
    }};
}

/// Does the same with the entity of each table that moves house. Last comes `audit_ends`, which has one row
/// from its migration on.
macro_rules! with_each_moving_table {
    ($Entity:ident => $done:expr) => {{
        with_each_growing_table!($Entity => $done);
        with_each_growing_table!(of audit::entity::ends, $Entity => $done);
    }};
}

/// Does the same with the entity of each table. What was last cleaned up stays where it was: it says
/// something about the clock there.
macro_rules! with_each_table {
    ($Entity:ident => $done:expr) => {{
        with_each_moving_table!($Entity => $done);
        with_each_growing_table!(of site::entity::cleaning, $Entity => $done);
    }};
}

pub(crate) use {with_each_growing_table, with_each_moving_table, with_each_table};
