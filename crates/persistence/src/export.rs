//! Moving house: all that one database holds, copied into another, of any kind.
//!
//! Rows are copied in the order of their keys, which each database sorts alike, byte by byte. So what
//! an interrupted copy has left is the beginning of each table, and shows by itself where to go on.

use countersign_domain::StoreError;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Asterisk, Expr, Func};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityName, EntityTrait, IntoActiveModel, Iterable, ModelTrait,
    PrimaryKeyToColumn, QueryFilter, QueryOrder, QuerySelect, Value,
};
use sha2::{Digest, Sha256};

use crate::audit::entity::ends;
use crate::audit::seal::is_any_waiting;
use crate::call::{Call, Deadline};
use crate::database::SqlStore;
use crate::error::{corrupt, unavailable, unread};
use crate::limits::ROWS;
use crate::tables::{with_each_growing_table, with_each_moving_table};
use crate::user::entity as user;

/// How far an export has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportProgress {
    /// What is being done.
    pub step: ExportStep,
    /// The table that it is done with.
    pub table: &'static str,
    /// How many of its rows are done.
    pub rows: u64,
    /// How many rows of it there are to be done.
    pub of: u64,
}

/// What an export is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportStep {
    /// What an interrupted export has left is compared with the source.
    Resume,
    /// Rows are copied.
    Copy,
    /// What was copied is compared with the source.
    Verify,
}

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many rows.
    pub rows: u64,
    /// SHA-256 of all values of all rows, in the order of their keys. It is the same on every kind of
    /// database.
    pub digest: [u8; 32],
}

/// A table of two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComparedTable {
    /// Its name.
    pub table: &'static str,
    /// What the one holds.
    pub source: Contents,
    /// What the other holds.
    pub target: Contents,
}

impl ComparedTable {
    /// Returns whether both hold the same.
    pub fn is_same(&self) -> bool {
        self.source == self.target
    }
}

/// Why a database was not copied, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The target holds what is not the beginning of a copy.
    #[error("its table {table} has rows that the source does not have")]
    Foreign {
        /// Where.
        table: &'static str,
    },
    /// The source cannot be read.
    #[error("the source cannot be read: {0}")]
    Source(#[source] StoreError),
    /// The target cannot be read or written.
    #[error("the target cannot be used: {0}")]
    Target(#[source] StoreError),
}

type Tell<'a> = &'a (dyn Fn(ExportProgress) + Send + Sync);

impl SqlStore {
    /// Returns whether there is a user, whatever the version of the schema.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let ids = user::Entity::find().select_only().column(user::Column::Id).limit(1);
        let first = ids.into_tuple::<Uuid>().one(&call).await;
        Ok(first.map_err(unread::<user::Entity>)?.is_some())
    }

    /// Gives records of the audit trail that wait for it their place, and copies all rows, as they are at one
    /// moment, into `target`, whose schema is up to date like that of this one. A target that holds a part of them, because an earlier call was interrupted, is
    /// completed; one that holds the end of the audit trail, which is copied last, is left as it is.
    ///
    /// # Errors
    ///
    /// When the target holds anything else, and nothing was copied; or when either of them fails, and
    /// another call goes on.
    pub async fn copy_into(&self, target: &Self, tell: Tell<'_>) -> Result<(), ExportError> {
        let source = self.snapshot_in_order().await.map_err(ExportError::Source)?;
        let done = copy(&source, target, tell).await;
        source.end_reading().await;
        done
    }

    /// Returns a connection to read the whole database at a moment at which no record waits for its place. A
    /// copy of one that waits would get another place in the target than here. On a site that is written to
    /// all the time there may be no such moment; then some wait.
    async fn snapshot_in_order(&self) -> Result<Call, StoreError> {
        const TRIES: u32 = 50;
        let mut tries = 1;
        loop {
            self.seal().await?;
            let call = self.snapshot().await?;
            if tries == TRIES || !is_any_waiting(&call, Uuid::nil()).await? {
                return Ok(call);
            }
            call.end_reading().await;
            tries += 1;
        }
    }

    /// Compares all that this database holds now with what `target` holds.
    ///
    /// # Errors
    ///
    /// When either of them cannot be read.
    pub async fn compare_with(
        &self,
        target: &Self,
        tell: Tell<'_>,
    ) -> Result<Vec<ComparedTable>, ExportError> {
        let source = self.snapshot().await.map_err(ExportError::Source)?;
        let target = target.snapshot().await.map_err(ExportError::Target)?;
        let done = compare_all(&source, &target, tell).await;
        target.end_reading().await;
        source.end_reading().await;
        done
    }
}

async fn copy(source: &Call, target: &SqlStore, tell: Tell<'_>) -> Result<(), ExportError> {
    let end = the_ends(source).await.map_err(ExportError::Source)?;
    let found = target.snapshot().await.map_err(ExportError::Target)?;
    let is_begun = is_begun(source, &end, &found, tell).await;
    found.end_reading().await;
    if is_begun? {
        with_each_growing_table!(Table => copy_rows::<Table>(source, target, tell).await?);
        copy_ends(end, target).await.map_err(ExportError::Target)?;
    }
    Ok(())
}

async fn compare_all(
    source: &Call,
    target: &Call,
    tell: Tell<'_>,
) -> Result<Vec<ComparedTable>, ExportError> {
    let mut compared = Vec::new();
    with_each_moving_table!(Table => compared.push(compare::<Table>(source, target, tell).await?));
    Ok(compared)
}

/// Returns whether the target is empty or holds a part of the source, and not all of it.
async fn is_begun(
    source: &Call,
    end: &ends::Model,
    target: &Call,
    tell: Tell<'_>,
) -> Result<bool, ExportError> {
    let found = the_ends(target).await.map_err(ExportError::Target)?;
    if !is_empty(&found) {
        let foreign = ExportError::Foreign { table: ends::Entity.table_name() };
        return if found == *end { Ok(false) } else { Err(foreign) };
    }
    with_each_growing_table!(Table => check_part::<Table>(source, target, tell).await?);
    Ok(true)
}

async fn compare<E: EntityTrait>(
    source: &Call,
    target: &Call,
    tell: Tell<'_>,
) -> Result<ComparedTable, ExportError> {
    let table = E::default().table_name();
    let of = count::<E>(source).await.map_err(ExportError::Source)?;
    let told = |rows| tell(ExportProgress { step: ExportStep::Verify, table, rows, of });
    let (source, target) =
        tokio::join!(contents::<E>(source, of, told), contents::<E>(target, u64::MAX, |_| ()));
    let source = source.map_err(ExportError::Source)?;
    Ok(ComparedTable { table, source, target: target.map_err(ExportError::Target)? })
}

/// Sees that what a table holds is what the source begins with.
async fn check_part<E: EntityTrait>(
    source: &Call,
    target: &Call,
    tell: Tell<'_>,
) -> Result<(), ExportError> {
    let table = E::default().table_name();
    let of = count::<E>(target).await.map_err(ExportError::Target)?;
    if of == 0 {
        return Ok(());
    }
    let told = |rows| tell(ExportProgress { step: ExportStep::Resume, table, rows, of });
    let (source, target) =
        tokio::join!(contents::<E>(source, of, |_| ()), contents::<E>(target, of, told));
    if source.map_err(ExportError::Source)? == target.map_err(ExportError::Target)? {
        Ok(())
    } else {
        Err(ExportError::Foreign { table })
    }
}

/// Copies what the target has not got yet. The next rows are read while those before are written.
async fn copy_rows<E>(source: &Call, target: &SqlStore, tell: Tell<'_>) -> Result<(), ExportError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync,
{
    let table = E::default().table_name();
    let of = count::<E>(source).await.map_err(ExportError::Source)?;
    let (mut rows, last) = {
        let target = &target.read(Deadline::of_call()).await.map_err(ExportError::Target)?;
        let count = count::<E>(target).await.map_err(ExportError::Target)?;
        (count, last::<E>(target).await.map_err(ExportError::Target)?)
    };
    tell(ExportProgress { step: ExportStep::Copy, table, rows, of });
    let limit = ROWS as u64;
    let mut page = page_after::<E>(source, last.as_ref(), limit).await;
    loop {
        let copied = page.map_err(ExportError::Source)?;
        let Some(last) = copied.last().cloned() else { return Ok(()) };
        rows += copied.len() as u64;
        let (inserted, next) = tokio::join!(
            insert_page::<E>(target, copied),
            page_after::<E>(source, Some(&last), limit)
        );
        inserted.map_err(ExportError::Target)?;
        tell(ExportProgress { step: ExportStep::Copy, table, rows, of });
        page = next;
    }
}

async fn insert_page<E>(target: &SqlStore, rows: Vec<E::Model>) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync,
{
    let (call, rows) = (&target.write(Deadline::of_call()).await?, &rows);
    call.whole(|| insert_rows::<E>(call, rows.clone())).await
}

/// Inserts rows, of which there is at least one and at most [`ROWS`].
pub(crate) async fn insert_rows<E>(call: &Call, rows: Vec<E::Model>) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
    E::insert_many(rows).exec_without_returning(call).await.map_err(unavailable).map(drop)
}

async fn the_ends(call: &Call) -> Result<ends::Model, StoreError> {
    let row = last::<ends::Entity>(call).await?;
    row.ok_or("its row is gone").map_err(corrupt("audit_ends", "id"))
}

/// Returns whether there was never a record.
fn is_empty(ends: &ends::Model) -> bool {
    ends.last_number == 0
}

/// Changes the row of the trail's ends, which is there already. It is copied last: once it is changed, the
/// trail takes no record from before it.
async fn copy_ends(end: ends::Model, target: &SqlStore) -> Result<(), StoreError> {
    if is_empty(&end) {
        return Ok(());
    }
    let copying = ends::Entity::update_many()
        .set(end.into_active_model().reset_all())
        .filter(ends::Column::LastNumber.eq(0));
    target.change_rows(copying).await.map(drop)
}

async fn count<E: EntityTrait>(call: &Call) -> Result<u64, StoreError> {
    let all = E::find().select_only().expr(Func::count(Expr::col(Asterisk)));
    let count = all.into_tuple::<i64>().one(call).await.map_err(unread::<E>)?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

/// Returns the row of the highest key.
async fn last<E: EntityTrait>(call: &Call) -> Result<Option<E::Model>, StoreError> {
    let keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let all = keys.fold(E::find(), QueryOrder::order_by_desc);
    all.one(call).await.map_err(unread::<E>)
}

/// Returns the next rows after one, in the order of the key, which is one column.
async fn page_after<E: EntityTrait>(
    call: &Call,
    after: Option<&E::Model>,
    limit: u64,
) -> Result<Vec<E::Model>, StoreError> {
    let keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let page = keys.fold(E::find().limit(limit), |rows, key| {
        let rows = rows.order_by_asc(key);
        match after {
            Some(after) => rows.filter(key.gt(after.get(key))),
            None => rows,
        }
    });
    page.all(call).await.map_err(unread::<E>)
}

/// Returns what the first rows of a table are; `tell` is told from time to time how many of them are read.
async fn contents<E: EntityTrait>(
    call: &Call,
    most: u64,
    tell: impl Fn(u64),
) -> Result<Contents, StoreError> {
    let table = E::default().table_name();
    let mut hasher = Sha256::new_with_prefix(b"countersign table 1");
    let (mut rows, mut last) = (0, None);
    loop {
        let limit = (most - rows).min(ROWS as u64);
        let page = page_after::<E>(call, last.as_ref(), limit).await?;
        for row in &page {
            for column in E::Column::iter() {
                add(&mut hasher, row.get(column)).map_err(corrupt(table, "type"))?;
            }
        }
        rows += page.len() as u64;
        tell(rows);
        if (page.len() as u64) < limit || rows == most {
            return Ok(Contents { rows, digest: hasher.finalize().into() });
        }
        last = page.into_iter().next_back();
    }
}

/// Hashes a value with its length before it, so that no two rows are hashed alike. A moment counts to the
/// microsecond, as every database keeps it.
fn add(hasher: &mut Sha256, value: Value) -> Result<(), &'static str> {
    let bytes = match value {
        Value::Bool(value) => value.map(|value| vec![u8::from(value)]),
        Value::Int(value) => value.map(|value| i64::from(value).to_be_bytes().to_vec()),
        Value::BigInt(value) => value.map(|value| value.to_be_bytes().to_vec()),
        Value::String(value) => value.map(String::into_bytes),
        Value::Bytes(value) => value,
        Value::Uuid(value) => value.map(|value| value.as_bytes().to_vec()),
        Value::TimeDateTime(value) => value.map(|value| {
            let microseconds = value.assume_utc().unix_timestamp_nanos().div_euclid(1_000);
            microseconds.to_be_bytes().to_vec()
        }),
        _ => return Err("a value of its type cannot be compared"),
    };
    match bytes {
        None => hasher.update(u64::MAX.to_be_bytes()),
        Some(bytes) => {
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
    }
    Ok(())
}
