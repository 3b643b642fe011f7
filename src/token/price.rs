//! What checking a signature costs: nominal times of one core, by algorithm and size of the key.
//!
//! They are for budgets of time, so they must be the same at every call and need only be near: measured ones would be
//! those of a busy neighbour. Each is what `cargo bench --bench access -- raw_signature` shows for the library's check on
//! a server core of 2026, rounded up; those of algorithms that the bench does not have are in the same proportion to the
//! others as `aws-lc-rs` has them on that machine. A forged signature of the right length costs what a good one does.

use std::time::Duration;

use super::algorithm::{Algorithm, AlgorithmSet, KeyKind};

/// The modulus for which [`RSA`] holds, in bits.
const RSA_BITS: u64 = 2048;
/// A modulus twice as long takes four times as much: the public exponent is short, so it is a few multiplications.
const RSA: Duration = Duration::from_micros(18);
const P256: Duration = Duration::from_micros(55);
const P384: Duration = Duration::from_micros(320);
const P521: Duration = Duration::from_micros(750);
const ED25519: Duration = Duration::from_micros(48);
/// For the longest token, by the slowest hash; most take a microsecond.
const HMAC: Duration = Duration::from_micros(30);

/// The price of one check by a key whose modulus has so many bits; what is no RSA key has one size only.
pub(super) fn of(algorithm: Algorithm, modulus_bits: usize) -> Duration {
    match algorithm.key_kind() {
        KeyKind::Rsa => {
            let bits = u64::try_from(modulus_bits).map_or(RSA_BITS, |bits| bits.max(RSA_BITS));
            let nanos = u64::try_from(RSA.as_nanos()).unwrap_or(u64::MAX);
            let squared = bits.saturating_mul(bits);
            Duration::from_nanos(nanos.saturating_mul(squared).div_ceil(RSA_BITS * RSA_BITS))
        }
        KeyKind::P256 => P256,
        KeyKind::P384 => P384,
        KeyKind::P521 => P521,
        KeyKind::Ed25519 => ED25519,
        KeyKind::Secret => HMAC,
    }
}

/// The least that a check by one of these can cost; nothing, if there are none.
pub(super) fn least(algorithms: AlgorithmSet) -> Option<Duration> {
    let all = Algorithm::ALL.into_iter();
    all.filter(|algorithm| algorithms.contains(*algorithm))
        .map(|algorithm| of(algorithm, 0))
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_has_a_price_by_algorithm_and_size_of_the_key() {
        for (algorithm, bits, micros) in [
            (Algorithm::Rs256, 2048, 18),
            (Algorithm::Ps256, 2048, 18),
            (Algorithm::Rs512, 4096, 72),
            (Algorithm::Ps384, 8192, 288),
            (Algorithm::Es256, 0, 55),
            (Algorithm::Es384, 0, 320),
            (Algorithm::Es512, 0, 750),
            (Algorithm::Ed25519, 0, 48),
            (Algorithm::Hs256, 0, 30),
        ] {
            let expected = Duration::from_micros(micros);
            assert_eq!(of(algorithm, bits), expected, "{algorithm:?} {bits}");
        }
        assert_eq!(of(Algorithm::Rs256, 3072), Duration::from_nanos(40_500));
    }

    #[test]
    fn the_least_price_is_that_of_the_cheapest_algorithm() {
        let set = |algorithms: &[Algorithm]| algorithms.iter().copied().collect::<AlgorithmSet>();
        for (algorithms, expected) in [
            (&[Algorithm::Es256, Algorithm::Rs256][..], Some(RSA)),
            (&[Algorithm::Es384], Some(P384)),
            (&[], None),
        ] {
            assert_eq!(least(set(algorithms)), expected, "{algorithms:?}");
        }
    }
}
