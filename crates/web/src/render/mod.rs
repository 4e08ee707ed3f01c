//! How pages are made: templates, the files that they load, forms, and words for people.

pub(crate) mod assets;
pub(crate) mod form;
pub(crate) mod page;
pub(crate) mod site_view;
pub(crate) mod template;
pub(crate) mod templates;
pub(crate) mod user_agent;
pub(crate) mod wording;
