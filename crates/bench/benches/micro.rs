//! Measures the single steps of a request for the members' page: `cargo bench -p countersign-bench`.

use std::error::Error;
use std::hint::black_box;

use countersign_auth::{Auth, Caller, LogIn, LoginState, NewUser};
use countersign_domain::memory::MemoryStore;
use countersign_domain::{Client, SecretToken};
use countersign_web::bench::{cookie, renderer};
use divan::Bencher;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use serde_json::json;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// Parses a token and computes its digest.
#[divan::bench]
fn token_digest(bencher: Bencher<'_, '_>) {
    let shown = SecretToken::generate(&mut UnwrapErr(SysRng)).expose().to_string();
    bencher.bench(|| SecretToken::parse(black_box(&shown)).map(|token| token.digest()));
}

#[divan::bench]
fn cookie_extraction(bencher: Bencher<'_, '_>) {
    let token = "A".repeat(43);
    let header = format!("theme=dark; known_browser={token}; session={token}; lang=en; _ga=GA1.2");
    bencher.bench(|| cookie(black_box(&[&header]), "session").map(str::len));
}

/// Authenticates a token whose session is in the cache.
#[divan::bench]
fn cached_lookup(bencher: Bencher<'_, '_>) {
    let lookup = || -> Result<_, Box<dyn Error>> {
        let runtime = Runtime::new()?;
        let auth = Auth::new(MemoryStore::default());
        let caller = Caller::visitor(Client::new(None, Some("Firefox")));
        let (email, username, password) = ("ada@example.org", "Ada", "tidal lantern orbit mauve");
        let token = runtime.block_on(async {
            let acting = auth.by(&caller);
            acting.register(NewUser::new(email, username, password)).await?;
            let state = acting.log_in(LogIn::new(email, password)).await?;
            let LoginState::Complete(begun) = state else {
                return Err("the login asks for more than a password".into());
            };
            Ok::<_, Box<dyn Error>>(begun.token)
        })?;
        Ok((runtime, auth, caller, token))
    };
    let Ok((runtime, auth, caller, token)) = lookup() else { return };
    bencher.bench_local(|| {
        let known = runtime.block_on(auth.by(&caller).authenticate(black_box(&token)));
        known.is_ok_and(|known| known.is_some())
    });
}

#[divan::bench]
fn template_render(bencher: Bencher<'_, '_>) {
    let shown = json!({
        "page_title": "Members",
        "current_user": { "id": "1", "email": "ada@example.org", "username": "Ada" },
        "visitor_known": true,
        "flash": null,
        "request_id": "0",
        "site": {
            "name": "Countersign", "home": "/", "login": "/login", "register": "/register",
            "logout": "/logout", "members": "/blogs", "account": "/account",
            "css": "/static/countersign.css", "js": "/static/countersign.js",
            "js_integrity": "sha256-", "icon": "/static/favicon.svg",
        },
    });
    let Ok(render) = renderer("blogs.html", shown) else { return };
    bencher.bench(|| render().map(|page| page.len()));
}
