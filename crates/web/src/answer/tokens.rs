//! The cookies that carry a session's tokens.

use countersign_auth::{BROWSER_KNOWN_FOR, LoginState, NewPendingLogin, NewSession, Renewed};
use countersign_domain::SecretToken;

use crate::answer::cookies;
use crate::site::Site;

/// Gives the browser the tokens with which it goes on after a step of a login.
pub(crate) fn hand_on(site: Site<'_>, state: &LoginState) {
    match state {
        LoginState::Complete(begun) => hand_over(site, begun),
        LoginState::FactorRequired(login) => wait(site, login),
        _ => {}
    }
}

/// Gives the browser the token of a login that waits for a second factor.
fn wait(site: Site<'_>, login: &NewPendingLogin) {
    let max_age = login.expires_at - site.auth.now();
    cookies::set(site, site.cookies.pending, &login.token.expose(), Some(max_age));
}

/// Makes the browser forget a login that waited for a second factor.
pub(crate) fn wait_no_more(site: Site<'_>) {
    if site.cookie(site.cookies.pending).is_some() {
        cookies::remove(site, site.cookies.pending);
    }
}

/// Gives the tokens of a session that has just begun to the browser.
pub(crate) fn hand_over(site: Site<'_>, begun: &NewSession) {
    wait_no_more(site);
    cookies::set(site, site.cookies.session, &begun.token.expose(), None);
    if let Some(token) = &begun.remember_token {
        let max_age = site.auth.config().sessions.remembers_for();
        cookies::set(site, site.cookies.remember, &token.expose(), max_age);
    }
    make_known(site, begun.browser_token.as_ref());
}

/// Gives the new token of a session to the browser.
pub(crate) fn renew(site: Site<'_>, renewed: &Renewed) {
    cookies::set(site, site.cookies.session, &renewed.token.expose(), None);
    make_known(site, renewed.browser_token.as_ref());
}

/// Makes the browser forget its session, and that it was remembered.
pub(crate) fn take_back(site: Site<'_>) {
    cookies::remove(site, site.cookies.session);
    forget(site);
}

/// Makes the browser forget that it was remembered.
pub(crate) fn forget(site: Site<'_>) {
    cookies::remove(site, site.cookies.remember);
}

fn make_known(site: Site<'_>, token: Option<&SecretToken>) {
    if let Some(token) = token {
        let max_age = Some(BROWSER_KNOWN_FOR);
        cookies::set(site, site.cookies.known_browser, &token.expose(), max_age);
    }
}
