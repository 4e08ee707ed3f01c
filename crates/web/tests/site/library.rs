//! Tests of an application with its own routes and pages that attaches ours under `/auth`.

use countersign_web::{Auth, AuthPages, CurrentUser, Visitor};
use rocket::http::uri::Origin;
use rocket::http::{Method, Status};
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket, catch, catchers, get, routes};
use rocket_dyn_templates::{Template, context};
use tempfile::TempDir;

use crate::support::{EMAIL, PASSWORD, Site, USERNAME, rocket};

#[get("/")]
fn home(visitor: Visitor<'_>) -> String {
    match visitor {
        Visitor::User(me) => format!("Welcome back, {}.", me.username),
        Visitor::Anonymous => "Welcome, stranger.".to_owned(),
        Visitor::Unavailable => "Welcome, whoever you are.".to_owned(),
    }
}

#[get("/notes")]
fn notes(me: CurrentUser<'_>) -> String {
    format!("Notes of {} <{}>, fresh: {}", me.username, me.email, me.is_fresh())
}

#[get("/<_..>", rank = 20)]
fn everything_else(uri: &Origin<'_>) -> String {
    format!("nothing special at {}", uri.path())
}

#[catch(404)]
fn own_404() -> &'static str {
    "the application's own 404"
}

fn application(auth: Auth) -> Rocket<Build> {
    rocket().attach(AuthPages::at("/auth", auth)).mount("/", routes![home, notes])
}

#[rocket::async_test]
async fn a_route_is_for_members_because_its_signature_says_so() {
    let site = Site::of(application).await;
    site.register(EMAIL).await;
    let mut ada = site.anon();
    ada.get("/").await.is(200).shows("Welcome, stranger.");
    ada.get("/notes").await.sees_other("/auth/login?next=%2Fnotes");
    let page = ada.get("/auth/login?next=%2Fnotes").await;
    page.is(200).shows("Please log in to access this page.").shows("action=\"/auth/login\"");
    let form = [("email", EMAIL), ("password", PASSWORD), ("next", "/notes")];
    ada.post_form("/auth/login", &form).await.sees_other("/notes");
    ada.get("/notes").await.is(200).shows("Notes of Ada <ada@example.org>, fresh: true");
    ada.get("/").await.is(200).shows("Welcome back, Ada.");
    ada.post_form("/auth/logout", &[]).await.sees_other("/auth/login");
    ada.get("/notes").await.sees_other("/auth/login?next=%2Fnotes");
}

#[rocket::async_test]
async fn everything_of_ours_is_below_the_prefix() {
    let site = Site::of(application).await;
    let mut anon = site.anon();
    for path in ["/login", "/register", "/logout", "/blogs", "/health/live"] {
        anon.get(path).await.is(404);
    }
    let page = anon.get("/auth/register").await;
    page.is(200).shows("action=\"/auth/register\"").shows("href=\"/auth/login\"");
    let asset = page.text.split('"').find(|text| text.ends_with(".css")).unwrap();
    assert!(asset.starts_with("/auth/static/"), "{asset}");
    anon.get(asset).await.is(200);
    let form = [("email", EMAIL), ("username", USERNAME), ("password", PASSWORD)];
    anon.post_form("/auth/register", &form).await.sees_other("/auth/login");
    // A login without `next` leads to the front page by default.
    let form = [("email", EMAIL), ("password", PASSWORD)];
    anon.post_form("/auth/login", &form).await.sees_other("/");
}

#[rocket::async_test]
async fn an_outage_is_a_state_of_its_own_to_a_visitor_and_a_503_to_a_member() {
    let site = Site::of(application).await;
    site.register(EMAIL).await;
    let mut ada = site.anon();
    ada.post_form("/auth/login", &[("email", EMAIL), ("password", PASSWORD)]).await.is(303);
    site.store.break_down();
    ada.get("/").await.is(200).shows("Welcome, whoever you are.");
    ada.get("/notes").await.is(503).has("Retry-After", "5");
}

#[rocket::async_test]
async fn a_catch_all_route_does_not_answer_in_a_guards_place() {
    let site = Site::of(|auth| application(auth).mount("/", routes![everything_else])).await;
    site.register(EMAIL).await;
    let mut anon = site.anon();
    anon.get("/other").await.is(200).shows("nothing special at /other");
    anon.get("/notes").await.sees_other("/auth/login?next=%2Fnotes");
    let mut ada = site.anon();
    ada.post_form("/auth/login", &[("email", EMAIL), ("password", PASSWORD)]).await.is(303);
    site.store.break_down();
    ada.get("/notes").await.is(503).hides("nothing special");
}

#[rocket::async_test]
async fn a_catcher_of_the_applications_own_stays_its_own() {
    let site = Site::of(|auth| application(auth).register("/", catchers![own_404])).await;
    let mut anon = site.anon();
    let answer = anon.get("/nowhere").await;
    assert_eq!(answer.is(404).text, "the application's own 404");
    answer.has("X-Frame-Options", "DENY");
    anon.get("/notes").await.sees_other("/auth/login?next=%2Fnotes");
}

#[rocket::async_test]
async fn without_catchers_an_application_answers_everything_itself() {
    #[catch(401)]
    fn own_401() -> &'static str {
        "log in, please"
    }

    let site = Site::of(|auth| {
        rocket()
            .attach(AuthPages::at("/auth", auth).without_catchers())
            .mount("/", routes![home, notes])
            .register("/", catchers![own_401])
    })
    .await;
    let answer = site.anon().get("/notes").await;
    assert_eq!(answer.is(401).text, "log in, please");
    site.anon().get("/nowhere").await.is(404).hides("Countersign");
}

#[rocket::async_test]
async fn a_401_of_the_applications_own_is_not_taken_for_ours() {
    #[get("/basic")]
    fn basic() -> Status {
        Status::Unauthorized
    }

    let site = Site::of(|auth| application(auth).mount("/", routes![basic])).await;
    let answer = site.anon().get("/basic").await;
    assert_eq!(answer.is(401).header("Location"), None);
}

#[rocket::async_test]
async fn an_application_that_uses_a_guard_and_attaches_nothing_does_not_launch() {
    for routes in [routes![notes], routes![home]] {
        let error = Client::untracked(rocket().mount("/", routes)).await.err();
        let kind = error.map(|error| format!("{}", error.kind()));
        assert!(kind.as_ref().is_some_and(|kind| kind.contains("sentinel")), "{kind:?}");
    }
}

#[rocket::async_test]
async fn templates_of_the_applications_own_are_rendered_and_escaped_whatever_their_name() {
    #[get("/render/<name>/<text>")]
    fn render(name: &str, text: &str) -> Template {
        Template::render(name.to_owned(), context! { text })
    }

    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("notes.html.tera", "<p>{{ text }}</p>");
    write("plain.tera", "<p>{{ text }}</p>");
    write("base.html.tera", "<main>{% block content %}{% endblock content %}</main>");
    write("child.html.tera", "{% extends \"base\" %}{% block content %}{{ text }}{% endblock %}");
    let figment = rocket().figment().clone().merge(("template_dir", folder.path()));
    let site = Site::of(|auth| {
        let pages = AuthPages::at("/auth", auth);
        rocket::custom(figment).attach(pages).mount("/", routes![render])
    })
    .await;
    let mut anon = site.anon();
    let evil = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for (name, start) in [("notes", "<p>"), ("plain", "<p>"), ("child", "<main>")] {
        let answer = anon.get(&format!("/render/{name}/{evil}")).await;
        answer.is(200).shows(start).hides("<script").shows("&lt;script&gt;");
    }
    // Our templates still work, although both have a base template of the same name.
    anon.get("/auth/login").await.is(200).shows("<h1>Log in</h1>").shows("site-header");
}

#[rocket::async_test]
async fn a_folder_of_overrides_replaces_single_pages_of_ours() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("auth")).unwrap();
    let own = "{% extends \"base.html\" %}{% block content %}Own login at {{ form.action }}\
               {% endblock content %}";
    std::fs::write(folder.path().join("auth/login.html.tera"), own).unwrap();
    let overrides = folder.path().to_owned();
    let site =
        Site::of(|auth| rocket().attach(AuthPages::at("/auth", auth).overrides(overrides))).await;
    let mut anon = site.anon();
    let page = anon.get("/auth/login").await;
    page.is(200).shows("Own login at").shows("site-header").hides("<h1>Log in</h1>");
    anon.get("/auth/register").await.is(200).shows("Create your account");
}

#[rocket::async_test]
async fn the_name_of_the_site_is_on_its_pages_and_escaped() {
    let site = Site::of(|auth| {
        rocket().attach(AuthPages::at("/auth", auth).site_name("Tom & <b>Jerry</b>"))
    })
    .await;
    let page = site.anon().get("/auth/login").await;
    page.is(200).shows("Tom &amp; &lt;b&gt;Jerry").hides("<b>Jerry");
}

#[rocket::async_test]
async fn an_application_may_say_where_login_and_logout_lead() {
    let site = Site::of(|auth| {
        let pages = AuthPages::at("/auth", auth).login_redirect("/notes").logout_redirect("/");
        rocket().attach(pages).mount("/", routes![home, notes])
    })
    .await;
    site.register(EMAIL).await;
    let mut ada = site.anon();
    let form = [("email", EMAIL), ("password", PASSWORD)];
    ada.post_form("/auth/login", &form).await.sees_other("/notes");
    ada.get("/auth/register").await.sees_other("/notes");
    ada.post_form("/auth/logout", &[]).await.sees_other("/");
    ada.get("/auth/logout").await.sees_other("/");
}

#[rocket::async_test]
async fn forms_of_the_application_itself_are_guarded_too() {
    #[rocket::post("/notes")]
    fn create(_me: CurrentUser<'_>) {}

    let site = Site::of(|auth| application(auth).mount("/", routes![create])).await;
    let mut anon = site.anon();
    let ask = anon.ask(Method::Post, "/notes").header("Sec-Fetch-Site", "cross-site");
    ask.send().await.is(403);
    anon.ask(Method::Post, "/notes").send().await.sees_other("/auth/login");
}
