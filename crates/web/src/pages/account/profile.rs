use rocket::get;
use serde::Serialize;

use crate::guards::current_user::CurrentUser;
use crate::render::page::page;
use crate::render::template::Template;
use crate::render::wording;
use crate::site::Site;

#[derive(Serialize)]
struct ProfileView {
    account: Account,
    links: Links,
}

#[derive(Serialize)]
struct Account {
    email: String,
    username: String,
    member_since: String,
}

#[derive(Serialize)]
struct Links {
    email: String,
    username: String,
    password: String,
    sessions: String,
    activity: String,
    delete: String,
}

/// Shows users their account.
#[get("/account")]
pub(crate) fn profile(site: Site<'_>, me: CurrentUser<'_>) -> Template {
    let account = Account {
        email: me.email.to_string(),
        username: me.username.to_string(),
        member_since: wording::day(me.created_at),
    };
    let links = Links {
        email: site.at("/account/email"),
        username: site.at("/account/profile"),
        password: site.at("/account/password"),
        sessions: site.at("/account/sessions"),
        activity: site.at("/account/activity"),
        delete: site.at("/account/delete"),
    };
    page("account/profile.html", "Your account", &ProfileView { account, links })
}
