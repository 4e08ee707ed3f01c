//! The floors: Rocket alone and Argon2 alone, the parts below whose cost a site cannot go. A floor runs in
//! its own process, like the site.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use clap::Subcommand;
use rocket::fairing::AdHoc;
use rocket::{Config, State, get, routes};
use rocket_dyn_templates::{Template, context};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::process::Process;
use crate::{Outcome, say};

/// A floor that can be run.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Floor {
    /// Serve the template of the members' page with Rocket alone, showing the same user to everybody.
    Page,
    /// Hash with Argon2 alone, with the parameters of the program.
    Hash {
        #[arg(long)]
        threads: usize,
        #[arg(long)]
        millis: u64,
    },
}

/// How fast Argon2 alone hashes passwords.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Hashes {
    pub(crate) per_second: f64,
    /// Processor time of one hash.
    pub(crate) millis_each: f64,
}

pub(crate) fn run(floor: Floor) -> Outcome<()> {
    match floor {
        Floor::Page => page(),
        Floor::Hash { threads, millis } => {
            say(&serde_json::to_string(&hash(threads, Duration::from_millis(millis))?)?)
        }
    }
}

/// The user that the page shows, with the same fields as on the site.
struct Shown {
    id: String,
    email: String,
    username: String,
}

#[get("/blogs")]
fn blogs(shown: &State<Shown>) -> Template {
    let Shown { id, email, username } = &**shown;
    Template::render(
        "blogs.html",
        context! {
            page_title: "Members",
            current_user: context! { id, email, username },
            visitor_known: true,
            flash: None::<String>,
            request_id: "0123456789ab-0",
            site: context! {
                name: "Countersign",
                home: "/",
                login: "/login",
                register: "/register",
                logout: "/logout",
                members: "/blogs",
                account: "/account",
                css: "/static/countersign.0123456789ab.css",
                js: "/static/countersign.0123456789ab.js",
                js_integrity: "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                icon: "/static/favicon.0123456789ab.svg",
            },
        },
    )
}

#[rocket::main]
async fn page() -> Outcome<()> {
    let no_templates = TempDir::new()?;
    let quiet = Config { port: 0, log_level: rocket::config::LogLevel::Off, ..Config::default() };
    let quiet = Config::figment().merge(quiet).merge(("template_dir", no_templates.path()));
    let templates = Template::try_custom(|engines| {
        engines.tera.autoescape_on(vec![""]);
        engines.tera.add_raw_templates([
            ("base.html", include_str!("../../../templates/base.html.tera")),
            ("blogs.html", include_str!("../../../templates/blogs.html.tera")),
        ])?;
        Ok(())
    });
    let shown = Shown {
        id: "019aa5f2-7f00-7000-8000-000000000000".to_owned(),
        email: "member000000@example.org".to_owned(),
        username: "Member".to_owned(),
    };
    let announce = AdHoc::on_liftoff("Address", |rocket| {
        Box::pin(async move {
            // If the line cannot be written, the parent process reports that the floor did not start.
            let _ =
                say(&format!("The floor is ready at http://127.0.0.1:{}", rocket.config().port));
        })
    });
    let floor = rocket::custom(quiet).manage(shown).mount("/", routes![blogs]);
    floor.attach(templates).attach(announce).launch().await?;
    Ok(())
}

fn hash(threads: usize, duration: Duration) -> Outcome<Hashes> {
    let params =
        Params::new(Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST, None)
            .map_err(|error| error.to_string())?;
    let argon2 = Arc::new(Argon2::new(Algorithm::Argon2id, Version::V0x13, params));
    let this = Process::of(std::process::id());
    let blocks = argon2.params().block_count();
    let mut memories: Vec<_> = (0..threads).map(|_| vec![Block::default(); blocks]).collect();
    let (before, start) = (this.cpu()?, Instant::now());
    let hashes = thread::scope(|scope| {
        let workers = memories.iter_mut().map(|memory| {
            let argon2 = Arc::clone(&argon2);
            scope.spawn(move || {
                let (mut hashes, mut output) = (0_u64, [0; 32]);
                while start.elapsed() < duration {
                    let (password, salt) = (b"tidal lantern orbit mauve", b"0123456789abcdef");
                    let memory = &mut memory[..];
                    argon2
                        .hash_password_into_with_memory(password, salt, &mut output, memory)
                        .map_err(|error| error.to_string())?;
                    hashes += 1;
                }
                Ok::<_, String>(hashes)
            })
        });
        let workers: Vec<_> = workers.collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(hashes) => hashes,
            Err(_) => Err("a thread that hashes panicked".to_owned()),
        });
        joined.sum::<Result<u64, _>>()
    })?;
    let (cpu, seconds) = (this.cpu()?.saturating_sub(before), start.elapsed().as_secs_f64());
    Ok(Hashes {
        per_second: hashes as f64 / seconds,
        millis_each: cpu.as_secs_f64() * 1000.0 / hashes as f64,
    })
}
