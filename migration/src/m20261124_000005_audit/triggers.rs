//! The triggers of the audit trail. They refuse all changes that Countersign never makes, so that other
//! tools cannot make them either: only the address of an old record may be shortened, only old records may
//! be deleted, and what waits for its place may only be deleted once it has one. What is old, the database
//! decides by its own clock; a minute is granted, since two clocks never agree. On PostgreSQL another trigger
//! notifies listeners about new records. The owner of the database can remove the triggers, but the chain of
//! hashes still shows what was changed.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{DbErr, SchemaManager};

const SQLITE: &[&str] = &[
    "CREATE TRIGGER audit_events_keep_what_was_written
     BEFORE UPDATE OF number, id, at, kind, reason, actor, actor_id, user_id, session_id, subject,
        user_agent, request_id, client_digest, hash ON audit_events
     BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_events_keep_what_is_young
     BEFORE DELETE ON audit_events
     WHEN OLD.number > (SELECT removed_number FROM audit_ends) OR OLD.at > (SELECT
        strftime('%Y-%m-%d %H:%M:%f', 'now', (60 - kept_for) || ' seconds') FROM audit_ends)
     BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_events_keep_young_addresses
     BEFORE UPDATE OF address, salt ON audit_events
     WHEN OLD.salt IS NULL OR NEW.salt IS NOT NULL OR OLD.at > (SELECT
        strftime('%Y-%m-%d %H:%M:%f', 'now', (60 - addresses_kept_for) || ' seconds') FROM audit_ends)
     BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    // `INSERT OR REPLACE` deletes rows without firing the trigger for deletions.
    "CREATE TRIGGER audit_events_are_not_replaced
     BEFORE INSERT ON audit_events
     WHEN NEW.number <= (SELECT last_number FROM audit_ends)
     BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_ends_keep_their_row
     BEFORE DELETE ON audit_ends
     BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_queue_keeps_what_was_written
     BEFORE UPDATE ON audit_queue
     BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_queue_keeps_what_waits
     BEFORE DELETE ON audit_queue
     WHEN NOT EXISTS (SELECT 1 FROM audit_events WHERE id = OLD.id)
     BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_queue_is_not_replaced
     BEFORE INSERT ON audit_queue
     WHEN EXISTS (SELECT 1 FROM audit_queue WHERE id = NEW.id)
     BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
];

const POSTGRES: &[&str] = &[
    "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$",
    "CREATE FUNCTION audit_refuse_what_is_young() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
        IF (SELECT OLD.number > removed_number OR OLD.at > (clock_timestamp() AT TIME ZONE 'UTC')
            + interval '1 minute' - kept_for * interval '1 second' FROM audit_ends) THEN
            RAISE EXCEPTION 'the audit trail is append-only';
        END IF;
        RETURN OLD;
     END $$",
    "CREATE FUNCTION audit_refuse_young_addresses() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
        IF (SELECT OLD.salt IS NULL OR NEW.salt IS NOT NULL OR OLD.at > (clock_timestamp() AT TIME ZONE 'UTC')
            + interval '1 minute' - addresses_kept_for * interval '1 second' FROM audit_ends) THEN
            RAISE EXCEPTION 'the audit trail is append-only';
        END IF;
        RETURN NEW;
     END $$",
    "CREATE FUNCTION audit_refuse_what_waits() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
        IF NOT EXISTS (SELECT 1 FROM audit_events WHERE id = OLD.id) THEN
            RAISE EXCEPTION 'the audit trail is append-only';
        END IF;
        RETURN OLD;
     END $$",
    "CREATE FUNCTION audit_refuse_what_is_past() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
        IF NEW.number <= (SELECT last_number FROM audit_ends) THEN
            RAISE EXCEPTION 'the audit trail is append-only';
        END IF;
        RETURN NEW;
     END $$",
    "CREATE TRIGGER audit_events_keep_what_was_written
     BEFORE UPDATE OF number, id, at, kind, reason, actor, actor_id, user_id, session_id, subject,
        user_agent, request_id, client_digest, hash ON audit_events
     FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_events_keep_what_is_young
     BEFORE DELETE ON audit_events
     FOR EACH ROW EXECUTE FUNCTION audit_refuse_what_is_young()",
    "CREATE TRIGGER audit_events_keep_young_addresses
     BEFORE UPDATE OF address, salt ON audit_events
     FOR EACH ROW EXECUTE FUNCTION audit_refuse_young_addresses()",
    "CREATE TRIGGER audit_queue_keeps_what_was_written
     BEFORE UPDATE ON audit_queue
     FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_queue_keeps_what_waits
     BEFORE DELETE ON audit_queue
     FOR EACH ROW EXECUTE FUNCTION audit_refuse_what_waits()",
    "CREATE TRIGGER audit_events_are_not_replaced
     BEFORE INSERT ON audit_events
     FOR EACH ROW EXECUTE FUNCTION audit_refuse_what_is_past()",
    "CREATE TRIGGER audit_ends_keep_their_row
     BEFORE DELETE ON audit_ends
     FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    // `TRUNCATE` removes rows without firing the triggers for each row.
    "CREATE TRIGGER audit_events_are_not_truncated
     BEFORE TRUNCATE ON audit_events EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_ends_are_not_truncated
     BEFORE TRUNCATE ON audit_ends EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_queue_is_not_truncated
     BEFORE TRUNCATE ON audit_queue EXECUTE FUNCTION audit_refuse()",
    // Listeners are notified when the transaction is committed. On other databases they have to poll. What
    // waits for its place is not told: transactions that notify commit one after the other.
    "CREATE FUNCTION audit_tell() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN PERFORM pg_notify('countersign_audit', ''); RETURN NULL; END $$",
    "CREATE TRIGGER audit_events_are_told
     AFTER INSERT ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION audit_tell()",
];

const POSTGRES_FUNCTIONS: &str = "DROP FUNCTION IF EXISTS \
     audit_refuse(), audit_refuse_what_is_young(), audit_refuse_what_is_past(), \
     audit_refuse_young_addresses(), audit_refuse_what_waits(), audit_tell()";

// A killed run may have created some of them. `CREATE TRIGGER IF NOT EXISTS` needs MariaDB, or MySQL from
// 8.0.29 on; all versions know `DROP TRIGGER IF EXISTS`. `TRUNCATE` fires no trigger here, but it needs the
// right to drop the table.
const MYSQL: &[&str] = &[
    "DROP TRIGGER IF EXISTS audit_events_keep_what_was_written",
    "CREATE TRIGGER audit_events_keep_what_was_written
     BEFORE UPDATE ON audit_events FOR EACH ROW
     IF NOT (NEW.number <=> OLD.number AND NEW.id <=> OLD.id AND NEW.at <=> OLD.at AND NEW.kind <=> OLD.kind
        AND NEW.reason <=> OLD.reason AND NEW.actor <=> OLD.actor AND NEW.user_id <=> OLD.user_id
        AND NEW.actor_id <=> OLD.actor_id AND NEW.subject <=> OLD.subject
        AND NEW.session_id <=> OLD.session_id AND NEW.user_agent <=> OLD.user_agent
        AND NEW.request_id <=> OLD.request_id AND NEW.client_digest <=> OLD.client_digest
        AND NEW.hash <=> OLD.hash) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is append-only';
     END IF",
    "DROP TRIGGER IF EXISTS audit_events_keep_what_is_young",
    "CREATE TRIGGER audit_events_keep_what_is_young
     BEFORE DELETE ON audit_events FOR EACH ROW
     IF (SELECT OLD.number > removed_number
        OR OLD.at > UTC_TIMESTAMP(6) + INTERVAL 60 - kept_for SECOND FROM audit_ends) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is append-only';
     END IF",
    "DROP TRIGGER IF EXISTS audit_events_keep_young_addresses",
    "CREATE TRIGGER audit_events_keep_young_addresses
     BEFORE UPDATE ON audit_events FOR EACH ROW
     IF NOT (NEW.address <=> OLD.address AND NEW.salt <=> OLD.salt)
        AND (SELECT OLD.salt IS NULL OR NEW.salt IS NOT NULL
        OR OLD.at > UTC_TIMESTAMP(6) + INTERVAL 60 - addresses_kept_for SECOND FROM audit_ends) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is append-only';
     END IF",
    "DROP TRIGGER IF EXISTS audit_events_are_not_replaced",
    "CREATE TRIGGER audit_events_are_not_replaced
     BEFORE INSERT ON audit_events FOR EACH ROW
     IF NEW.number <= (SELECT last_number FROM audit_ends) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is append-only';
     END IF",
    "DROP TRIGGER IF EXISTS audit_ends_keep_their_row",
    "CREATE TRIGGER audit_ends_keep_their_row
     BEFORE DELETE ON audit_ends FOR EACH ROW
     SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is append-only'",
    "DROP TRIGGER IF EXISTS audit_queue_keeps_what_was_written",
    "CREATE TRIGGER audit_queue_keeps_what_was_written
     BEFORE UPDATE ON audit_queue FOR EACH ROW
     SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is append-only'",
    "DROP TRIGGER IF EXISTS audit_queue_keeps_what_waits",
    "CREATE TRIGGER audit_queue_keeps_what_waits
     BEFORE DELETE ON audit_queue FOR EACH ROW
     IF NOT EXISTS (SELECT 1 FROM audit_events WHERE id = OLD.id) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is append-only';
     END IF",
];

pub(super) async fn create(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let triggers = match schema.get_database_backend() {
        DbBackend::Sqlite => SQLITE,
        DbBackend::Postgres => POSTGRES,
        DbBackend::MySql => MYSQL,
        other => return Err(DbErr::BackendNotSupported { db: other.as_str(), ctx: "audit trail" }),
    };
    for trigger in triggers {
        schema.get_connection().execute_unprepared(trigger).await?;
    }
    Ok(())
}

/// Drops the functions, which do not disappear with their tables.
pub(super) async fn drop_functions(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    if schema.get_database_backend() == DbBackend::Postgres {
        schema.get_connection().execute_unprepared(POSTGRES_FUNCTIONS).await?;
    }
    Ok(())
}
