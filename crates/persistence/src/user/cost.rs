//! Users by what their password hashes cost, in one question that reads no hash out of the database.

use countersign_domain::HashCount;
use sea_orm::{DbBackend, Statement};

/// Returns the question how many users have a hash of each [cost](countersign_domain::PasswordHash::cost),
/// which is what stands before the fourth dollar sign.
pub(super) fn count(backend: DbBackend) -> Statement {
    let costs = match backend {
        DbBackend::Postgres => {
            "SELECT '$' || split_part(password_hash, '$', 2) || '$' || split_part(password_hash, '$', 3) \
             || '$' || split_part(password_hash, '$', 4) AS cost FROM users \
             WHERE password_hash LIKE '$argon2%$%$%$%'"
        }
        DbBackend::MySql => {
            "SELECT SUBSTRING_INDEX(password_hash, '$', 4) AS cost FROM users \
             WHERE password_hash LIKE '$argon2%$%$%$%'"
        }
        _ => {
            "SELECT substr(hash, 1, one + two + instr(rest, '$')) AS cost FROM \
             (SELECT hash, one, instr(rest, '$') AS two, substr(rest, instr(rest, '$') + 1) AS rest FROM \
             (SELECT hash, instr(rest, '$') AS one, substr(rest, instr(rest, '$') + 1) AS rest FROM \
             (SELECT password_hash AS hash, substr(password_hash, 2) AS rest FROM users \
             WHERE password_hash LIKE '$argon2%$%$%$%')))"
        }
    };
    let most = HashCount::MOST;
    let question = format!(
        "SELECT cost, COUNT(*) AS users FROM ({costs}) AS costs GROUP BY cost \
         ORDER BY users DESC, cost LIMIT {most}"
    );
    Statement::from_string(backend, question)
}
