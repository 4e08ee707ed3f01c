use rocket::get;

use crate::assets::Asset;
use crate::state::Site;

/// A file that pages load. One that is asked for by another fingerprint is not there.
#[get("/static/<name>")]
pub(crate) fn asset(site: Site<'_>, name: &str) -> Option<Asset> {
    site.assets.find(name)
}
