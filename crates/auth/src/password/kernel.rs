//! The code that computes Argon2. Both kernels compute the same output, so each reads what the other wrote.

#[cfg(any(test, not(feature = "argon2-simd")))]
use argon2::{Argon2, Block};

use super::recipe::{Recipe, Scheme};

/// The kernel that this build hashes with.
#[cfg(not(feature = "argon2-simd"))]
pub(super) type Chosen = RustCrypto;
#[cfg(feature = "argon2-simd")]
pub(super) type Chosen = Simd;

/// Computes Argon2 in memory that it keeps for the next time. The system clears memory of this size each
/// time it is given back and requested again, and glibc does not always give it back.
pub(super) trait Kernel: Default {
    /// Computes the output for a password; `None` where nothing can be computed by the recipe.
    fn compute(&mut self, recipe: &Recipe, password: &[u8]) -> Option<Vec<u8>>;
}

/// The crate `argon2`.
#[cfg(any(test, not(feature = "argon2-simd")))]
#[derive(Default)]
pub(super) struct RustCrypto(Vec<Block>);

#[cfg(any(test, not(feature = "argon2-simd")))]
impl Kernel for RustCrypto {
    fn compute(&mut self, recipe: &Recipe, password: &[u8]) -> Option<Vec<u8>> {
        let Scheme::Argon2 { algorithm, version, params } = &recipe.scheme;
        let argon2 = Argon2::new(*algorithm, *version, params.clone());
        let count = params.block_count();
        // Exactly this many: a rare hash that needs more does not keep them.
        if self.0.len() != count {
            self.0 = Vec::new();
            self.0.resize(count, Block::default());
        }
        let mut output = vec![0; recipe.expected.len()];
        let (salt, blocks) = (&recipe.salt, &mut self.0);
        argon2.hash_password_into_with_memory(password, salt, &mut output, blocks).ok()?;
        Some(output)
    }
}

/// The crate `argon2-rust`, which detects what the processor can do and takes half the time where that is
/// AVX2 or AVX-512. **Nobody has audited it yet.**
#[cfg(feature = "argon2-simd")]
#[derive(Default)]
pub(super) struct Simd(Option<argon2_rust::Hasher>);

#[cfg(feature = "argon2-simd")]
impl Kernel for Simd {
    fn compute(&mut self, recipe: &Recipe, password: &[u8]) -> Option<Vec<u8>> {
        use argon2_rust::params::{Memory, TagLen};

        let Scheme::Argon2 { algorithm, version, params: saved } = &recipe.scheme;
        let params = argon2_rust::Params::builder()
            .memory(Memory::kib(saved.m_cost().into()))
            .passes(saved.t_cost())
            .lanes(saved.p_cost())
            // A worker is one thread.
            .threads(1)
            .tag_len(TagLen::bytes(u64::try_from(recipe.expected.len()).ok()?))
            .build()
            .ok()?;
        let algorithm = match algorithm {
            argon2::Algorithm::Argon2d => argon2_rust::Algorithm::Argon2d,
            argon2::Algorithm::Argon2i => argon2_rust::Algorithm::Argon2i,
            argon2::Algorithm::Argon2id => argon2_rust::Algorithm::Argon2id,
        };
        let version = match version {
            argon2::Version::V0x10 => argon2_rust::Version::V0x10,
            argon2::Version::V0x13 => argon2_rust::Version::V0x13,
        };
        let argon2 = argon2_rust::Argon2::new(algorithm, version, params);
        let hasher = self.0.get_or_insert_with(|| argon2.hasher());
        // The hasher keeps the most that it ever used. A rare hash that needs more must not keep it.
        if hasher.reserved_blocks() != saved.block_count() {
            hasher.clear();
        }
        hasher.set_argon2(argon2);
        let mut output = vec![0; recipe.expected.len()];
        hasher.hash_into(password, &recipe.salt, &mut output).ok()?;
        Some(output)
    }
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Params, Version};
    use countersign_domain::PasswordHash;

    use super::*;

    /// Passwords and hashes of the reference implementation: `src/test.c`, Argon2id of version 0x13.
    /// The one with 256 MiB is left out.
    const REFERENCE: [(&str, &str); 7] = [
        ("password", "m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
        ("password", "m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
        ("password", "m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
        ("password", "m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg"),
        ("password", "m=65536,t=4,p=1$c29tZXNhbHQ$kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw"),
        (
            "differentpassword",
            "m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94",
        ),
        ("password", "m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"),
    ];

    fn computes_what_the_reference_computes<K: Kernel>() {
        let mut kernel = K::default();
        for (password, rest) in REFERENCE {
            let phc = format!("$argon2id$v=19${rest}");
            let recipe = Recipe::parse(&PasswordHash::from_phc(phc.clone())).unwrap();
            let computed = kernel.compute(&recipe, password.as_bytes());
            assert_eq!(computed.as_deref(), Some(&*recipe.expected), "{phc}");
            assert_ne!(kernel.compute(&recipe, b"another"), computed, "{phc}");
            assert_eq!(recipe.to_phc().unwrap().as_phc(), phc);
        }
    }

    #[test]
    fn argon2_computes_what_the_reference_implementation_computes() {
        computes_what_the_reference_computes::<RustCrypto>();
    }

    /// RFC 9106, section 5.3: with a secret and associated data, which no password here has, so it is
    /// asked of the crates themselves.
    const RFC_9106: [u8; 32] = [
        0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53,
        0xc9, 0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01,
        0xe6, 0x59,
    ];

    #[test]
    fn argon2_computes_what_rfc_9106_does() {
        let mut params = argon2::ParamsBuilder::new();
        let data = argon2::AssociatedData::new(&[4; 12]).unwrap();
        let params = params.m_cost(32).t_cost(3).p_cost(4).data(data).build().unwrap();
        let secret = [3; 8];
        let argon2 =
            Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let (mut output, mut blocks) = ([0; 32], vec![Block::default(); 32]);
        argon2
            .hash_password_into_with_memory(&[1; 32], &[2; 16], &mut output, &mut blocks)
            .unwrap();
        assert_eq!(output, RFC_9106);
    }

    #[cfg(feature = "argon2-simd")]
    mod simd {
        use std::cell::RefCell;

        use proptest::collection::vec;
        use proptest::prelude::{Strategy, any};
        use proptest::sample::select;
        use proptest::test_runner::{Config, TestRunner};
        use proptest::{prop_assert, prop_assert_eq};

        use super::*;

        #[test]
        fn argon2_rust_computes_what_the_reference_implementation_computes() {
            computes_what_the_reference_computes::<Simd>();
        }

        #[test]
        fn argon2_rust_computes_what_rfc_9106_does() {
            use argon2_rust::params::Memory;
            let params = argon2_rust::Params::builder().memory(Memory::kib(32)).passes(3).lanes(4);
            let argon2 = argon2_rust::Argon2::new(
                argon2_rust::Algorithm::Argon2id,
                argon2_rust::Version::V0x13,
                params.build().unwrap(),
            );
            let mut output = [0; 32];
            argon2.hash_into_with_ad(&[1; 32], &[2; 16], &[3; 8], &[4; 12], &mut output).unwrap();
            assert_eq!(output, RFC_9106);
        }

        fn recipes() -> impl Strategy<Value = Recipe> {
            let algorithm =
                select(vec![Algorithm::Argon2d, Algorithm::Argon2i, Algorithm::Argon2id]);
            let version = select(vec![Version::V0x10, Version::V0x13]);
            let cost = (1..=4_u32).prop_flat_map(|lanes| (8 * lanes..=256, 1..=4_u32, 1..=lanes));
            let bytes = (vec(any::<u8>(), 8..=48), 10..=64_usize);
            (algorithm, version, cost, bytes).prop_map(|(algorithm, version, cost, bytes)| {
                let (memory_kib, passes, lanes) = cost;
                let params = Params::new(memory_kib, passes, lanes, None).unwrap();
                let (salt, output) = bytes;
                let scheme = Scheme::Argon2 { algorithm, version, params };
                Recipe { scheme, salt, expected: vec![0; output] }
            })
        }

        /// Also from one hash to the next: each kernel keeps its memory.
        #[test]
        fn both_kernels_compute_the_same() {
            let kernels = RefCell::new((RustCrypto::default(), Simd::default()));
            let passwords = vec(any::<u8>(), 0..=160);
            let all = (recipes(), passwords);
            TestRunner::new(Config { failure_persistence: None, ..Config::default() })
                .run(&all, |(recipe, password)| {
                    let (one, other) = &mut *kernels.borrow_mut();
                    let expected = one.compute(&recipe, &password);
                    prop_assert!(expected.is_some());
                    prop_assert_eq!(other.compute(&recipe, &password), expected);
                    Ok(())
                })
                .unwrap();
        }

        #[test]
        fn memory_is_kept_and_an_odd_hash_that_wants_more_keeps_none_of_it() {
            let mut kernel = Simd::default();
            let mut blocks_after = |memory_kib| {
                let params = Params::new(memory_kib, 1, 1, None).unwrap();
                let recipe = Recipe::new(Scheme::argon2id(params), &mut crate::random::rng());
                kernel.compute(&recipe, b"a password").unwrap();
                kernel.0.as_ref().map_or(0, argon2_rust::Hasher::reserved_blocks)
            };
            assert_eq!([64, 64, 1024, 64].map(&mut blocks_after), [64, 64, 1024, 64]);
        }
    }
}
