use rocket::get;

use crate::render::assets::Asset;
use crate::site::Site;

/// Returns a file that pages load. A name with an outdated fingerprint is not found.
#[get("/static/<name>")]
pub(crate) fn asset(site: Site<'_>, name: &str) -> Option<Asset> {
    site.assets.find(name)
}
