//! A small application with users, each of whom has private notes.

mod m20260301_000001_notes;
mod note;

use countersign_web::{Auth, AuthPages, CurrentUser, FreshLogin, Template, login_required, public};
use rocket::form::{self, Contextual, Form};
use rocket::fs::{FileServer, relative};
use rocket::http::Status;
use rocket::response::{Debug, Redirect};
use rocket::{Build, Config, Either, FromForm, Rocket, State, get, post, routes};
use rocket_dyn_templates::context;
use sea_orm::{ActiveValue::Set, DatabaseConnection, QueryOrder, QuerySelect, entity::prelude::*};
use sea_orm_migration::MigratorTrait;

type Db = State<DatabaseConnection>;
/// A failure of the database. The visitor gets an error page, and the log gets the cause.
type Failure = Debug<DbErr>;
type Page = Result<Template, Failure>;

/// Builds the application, which keeps its notes in the same database as its users.
///
/// # Errors
///
/// When the table of notes cannot be created.
pub async fn app(auth: Auth, db: DatabaseConnection) -> Result<Rocket<Build>, DbErr> {
    m20260301_000001_notes::Migrator::up(&db, None).await?;
    // The path works from any working directory. ROCKET_TEMPLATE_DIR overrides it.
    let config = Config::figment().join(("template_dir", relative!("templates")));
    let pages = AuthPages::at("/auth", auth).site_name("Notes").login_redirect("/notes");
    Ok(rocket::custom(config)
        .attach(pages)
        .manage(db)
        .mount("/", public(routes![home]))
        .mount("/static", public(FileServer::from(relative!("static")).into()))
        .mount("/notes", login_required(routes![list, create, delete, ask_to_clear, clear])))
}

#[derive(FromForm)]
struct NewNote<'r> {
    #[field(default = "", validate = is_a_note())]
    text: &'r str,
}

/// Checks the length of a note in characters. Rocket's `len(..)` counts bytes.
fn is_a_note<'v>(text: &&str) -> form::Result<'v, ()> {
    match text.trim().chars().count() {
        0 => Err(form::Error::validation("Write something first."))?,
        1..=2000 => Ok(()),
        n => Err(form::Error::validation(format!(
            "A note has at most 2000 characters: this one has {n}."
        )))?,
    }
}

#[get("/")]
fn home() -> Template {
    Template::render("home", context! {})
}

#[get("/")]
async fn list(me: CurrentUser<'_>, db: &Db) -> Page {
    page(me, db, "", None).await
}

#[post("/", data = "<form>")]
async fn create(
    me: CurrentUser<'_>,
    db: &Db,
    form: Form<Contextual<'_, NewNote<'_>>>,
) -> Result<Either<Redirect, (Status, Template)>, Failure> {
    let Some(new) = &form.value else {
        let typed = form.context.field_value("text").unwrap_or_default();
        let error = form.context.field_errors("text").next().map(ToString::to_string);
        return Ok(Either::Right((Status::UnprocessableEntity, page(me, db, typed, error).await?)));
    };
    let (user_id, text) = (Set(me.id.as_uuid()), Set(new.text.trim().to_owned()));
    note::ActiveModel { user_id, text, ..Default::default() }.insert(&**db).await?;
    Ok(Either::Left(Redirect::to("/notes")))
}

/// Deletes one of the user's notes. Answers 404 for any other note, also for those of other users.
#[post("/<id>/delete")]
async fn delete(me: CurrentUser<'_>, id: i32, db: &Db) -> Result<Option<Redirect>, Failure> {
    let mine = note::delete_of(&me).filter(note::Column::Id.eq(id));
    let deleted = mine.exec(&**db).await?.rows_affected > 0;
    Ok(deleted.then(|| Redirect::to("/notes")))
}

/// Asks for confirmation. [`FreshLogin`] asks for the password first, if the login is not recent.
#[get("/clear")]
fn ask_to_clear(_me: FreshLogin<'_>) -> Template {
    Template::render("clear", context! {})
}

#[post("/clear")]
async fn clear(me: FreshLogin<'_>, db: &Db) -> Result<Redirect, Failure> {
    note::delete_of(&me).exec(&**db).await?;
    Ok(Redirect::to("/notes"))
}

/// Renders the form, with the text that was typed and an error message, and the newest notes below it.
async fn page(me: CurrentUser<'_>, db: &Db, typed: &str, error: Option<String>) -> Page {
    let newest = note::of(&me).order_by_desc(note::Column::Id).limit(100).all(&**db).await?;
    let shown = |note: note::Model| {
        let written = note.created_at.date().to_string();
        context! { id: note.id, text: note.text, written }
    };
    let notes: Vec<_> = newest.into_iter().map(shown).collect();
    Ok(Template::render("notes", context! { notes, typed, error }))
}
