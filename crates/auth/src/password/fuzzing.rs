//! What the parser of saved hashes promises.

use super::kernel::{Chosen, Kernel};
use super::recipe::{Recipe, Scheme};
use crate::config::AuthConfig;

/// Checks a saved hash in PHC format: an accepted hash has bounded costs, can be computed, and is written
/// as it was read. A hash that could not be computed would be answered sooner than a wrong password.
///
/// # Panics
///
/// When that does not hold.
pub fn phc(input: &[u8]) {
    let Ok(written) = std::str::from_utf8(input) else { return };
    let Some(recipe) = Recipe::from_phc(written) else { return };
    let Scheme::Argon2 { params, .. } = &recipe.scheme;
    assert!(params.m_cost() <= AuthConfig::MAX_MEMORY_KIB, "{written:?}");
    assert!(params.t_cost() <= AuthConfig::MAX_ITERATIONS, "{written:?}");
    assert!(params.p_cost() <= AuthConfig::MAX_PARALLELISM, "{written:?}");
    let again = recipe.to_phc().and_then(|phc| Recipe::from_phc(phc.as_phc()));
    let is_same = again.is_some_and(|again| {
        let Scheme::Argon2 { params: read, .. } = &again.scheme;
        again.scheme == recipe.scheme
            && (read, &again.salt, &again.expected) == (params, &recipe.salt, &recipe.expected)
    });
    assert!(is_same, "{written:?}");
    // Costlier hashes differ only in the time they take.
    if params.m_cost() <= 64 && params.t_cost() <= 2 {
        let output = Chosen::default().compute(&recipe, b"a password");
        assert_eq!(output.map(|output| output.len()), Some(recipe.expected.len()), "{written:?}");
    }
}
