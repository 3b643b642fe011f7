//! Public keys that are well formed and worth nothing, because whoever looks at one finds the private half.
//!
//! An issuer that publishes such a key has been cheated or has bought the wrong chip. It costs that key only; but a token
//! that it signs could have been signed by anybody.

use curve25519_dalek::edwards::CompressedEdwardsY;

use super::key::KeyError;

/// Moduli are divided by all primes below this (NIST SP 800-89 section 5.3.3).
const SMALL_PRIMES_END: u32 = 752;
/// The generator of the primes that the chips of CVE-2017-15361 make, and of nobody else's.
const ROCA_GENERATOR: u32 = 65_537;
/// In the moduli of these chips with 2048 bits and more, all primes up to here betray themselves ("The Return of
/// Coppersmith's Attack", Nemec and others, 2017, section 3).
const ROCA_PRIMES_END: u32 = 168;

/// Whether the encoded point is one, in its one spelling, and of large order.
///
/// # Errors
/// [`KeyError::SmallOrder`]: signatures exist that verify for every message. [`KeyError::Invalid`]: not on the curve, or
/// written otherwise than RFC 8032 section 5.1.2 writes it.
pub(super) fn judge_ed25519(encoded: &[u8]) -> Result<(), KeyError> {
    let invalid = || KeyError::Invalid("Ed25519");
    let encoded = CompressedEdwardsY::from_slice(encoded).map_err(|_| invalid())?;
    let point = encoded.decompress().ok_or_else(invalid)?;
    if point.is_small_order() {
        return Err(KeyError::SmallOrder);
    }
    if point.compress() == encoded {
        Ok(())
    } else {
        Err(invalid())
    }
}

/// Whether an RSA modulus, big-endian, withstands what costs nothing to try.
///
/// # Errors
/// [`KeyError::RsaWeak`], with what is wrong.
pub(super) fn judge_modulus(modulus: &[u8]) -> Result<(), KeyError> {
    let mut telltale = true;
    for prime in (2..SMALL_PRIMES_END).filter(|number| is_prime(*number)) {
        let residue = modulus
            .iter()
            .fold(0, |residue, byte| (residue * 256 + u32::from(*byte)) % prime);
        if residue == 0 {
            return Err(KeyError::RsaWeak("its modulus has a small factor"));
        }
        if telltale && prime < ROCA_PRIMES_END {
            telltale = is_power(ROCA_GENERATOR % prime, residue, prime);
        }
    }
    if telltale {
        return Err(KeyError::RsaWeak(
            "it was made by a chip whose keys can be computed (ROCA)",
        ));
    }
    Ok(())
}

fn is_prime(number: u32) -> bool {
    (2..)
        .take_while(|factor| factor * factor <= number)
        .all(|factor| !number.is_multiple_of(factor))
}

/// Whether a residue is a power of the generator.
fn is_power(generator: u32, residue: u32, prime: u32) -> bool {
    let powers = std::iter::successors(Some(1), |power| Some(power * generator % prime));
    powers.take(prime as usize).any(|power| power == residue)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Big-endian product of two numbers.
    fn product(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut digits = vec![0_u32; a.len() + b.len()];
        for (i, x) in a.iter().rev().enumerate() {
            let mut carry = 0;
            for (j, y) in b.iter().rev().enumerate() {
                let sum = digits[i + j] + u32::from(*x) * u32::from(*y) + carry;
                digits[i + j] = sum % 256;
                carry = sum / 256;
            }
            digits[i + b.len()] += carry;
        }
        digits
            .into_iter()
            .rev()
            .map(|digit| u8::try_from(digit).unwrap())
            .collect()
    }

    #[test]
    fn a_modulus_with_a_small_factor_or_of_a_bad_chip_is_weak() {
        let honest = |bytes: usize| -> Vec<u8> {
            // No small factors, and no pattern: found by trying.
            (1_u32..)
                .map(|seed| {
                    (0..bytes)
                        .map(|i| {
                            (seed.wrapping_mul(2_654_435_761_u32.rotate_left(i as u32 % 31)) >> 8) as u8 | 1
                        })
                        .collect()
                })
                .find(|modulus: &Vec<u8>| judge_modulus(modulus).is_ok())
                .unwrap()
        };
        let modulus = honest(256);
        assert_eq!(judge_modulus(&modulus), Ok(()));
        for factor in [3_u16, 5, 7, 167, 173, 743, 751] {
            let weak = product(&modulus, &factor.to_be_bytes());
            assert_eq!(
                judge_modulus(&weak),
                Err(KeyError::RsaWeak("its modulus has a small factor")),
                "{factor}"
            );
        }
        // Not seen: whoever looks that far has a better way.
        assert_eq!(judge_modulus(&product(&modulus, &757_u16.to_be_bytes())), Ok(()));
        // A power of the generator betrays itself as the chips' moduli do.
        let mut power = vec![1, 0, 1];
        for _ in 0..7 {
            power = product(&power, &power);
        }
        let roca = Err(KeyError::RsaWeak(
            "it was made by a chip whose keys can be computed (ROCA)",
        ));
        assert_eq!(judge_modulus(&power), roca);
        assert_eq!(judge_modulus(&product(&power, &[1, 0, 1])), roca);
        assert_eq!(judge_modulus(&product(&power, &modulus)), Ok(()));
    }
}
