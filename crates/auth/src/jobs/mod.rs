//! What the service does in the background.

pub(crate) mod follow;
pub(crate) mod housekeeping;
pub(crate) mod skew;
pub(crate) mod trust;

use crate::core::Core;

/// What the service does in the background. The Rocket fairing runs it by itself; another program runs
/// [`follow`](Self::follow) beside what it serves and calls [`housekeeping`](Self::housekeeping) regularly.
#[derive(Clone, Copy)]
pub struct Jobs<'a>(pub(crate) &'a Core);
