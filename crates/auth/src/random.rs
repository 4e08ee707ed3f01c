use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;

/// Returns the system's source of randomness, the only one of this crate. It panics on a system that has
/// none, which is no place to log in to.
pub(crate) fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}
