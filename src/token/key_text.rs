//! A public key as operators have it in files: PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`) or a line of OpenSSH
//! (`ssh-rsa`).
//!
//! A certificate is taken for the key in it, which the operator vouches for by naming the file; its dates and its issuer
//! say nothing here, as they do where a gateway pins the certificate of a partner.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::hint::Thumbprint;
use super::key::{Key, KeyError, Material};

const SSH_RSA: &str = "ssh-rsa";

/// Parses the text of a key file.
///
/// # Errors
/// Says what is wrong with the text or the key.
pub(super) fn parse(kid: &str, text: &[u8]) -> Result<Key, KeyError> {
    if text.trim_ascii_start().starts_with(SSH_RSA.as_bytes()) {
        return Key::new(Some(kid), ssh_rsa(text)?, None);
    }
    let block = pem::parse(text).map_err(|error| KeyError::Text(format!("the file is no PEM: {error}")))?;
    match block.tag() {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Key::new(Some(kid), Material::from_der(block.contents())?, None),
        "CERTIFICATE" => {
            let (rest, certificate) = x509_parser::parse_x509_certificate(block.contents())
                .map_err(|_| KeyError::Text("the file holds no X.509 certificate".to_owned()))?;
            if !rest.is_empty() {
                return Err(KeyError::Text("something follows the certificate".to_owned()));
            }
            let key = Key::new(Some(kid), Material::from_der(certificate.public_key().raw)?, None)?;
            Ok(key.with_thumbprints(Thumbprint::of_certificate(block.contents())))
        }
        tag if tag.contains("PRIVATE KEY") => Err(KeyError::Private),
        tag => Err(KeyError::Text(format!(
            "the file holds a `{tag}`, not a `PUBLIC KEY` or a `CERTIFICATE`"
        ))),
    }
}

/// `ssh-rsa BASE64 COMMENT` (RFC 4253 section 6.6): the type again, the exponent, the modulus.
fn ssh_rsa(text: &[u8]) -> Result<Material, KeyError> {
    let malformed = || KeyError::Text("the file is no line of `ssh-rsa`, base64 and a comment".to_owned());
    let text = std::str::from_utf8(text).map_err(|_| malformed())?;
    let mut words = text.split_ascii_whitespace();
    let (Some(SSH_RSA), Some(encoded)) = (words.next(), words.next()) else {
        return Err(malformed());
    };
    let blob = STANDARD.decode(encoded).map_err(|_| malformed())?;
    let mut rest = blob.as_slice();
    let kind = field(&mut rest).ok_or_else(malformed)?;
    let exponent = field(&mut rest).ok_or_else(malformed)?;
    let modulus = field(&mut rest).ok_or_else(malformed)?;
    if kind != SSH_RSA.as_bytes() || !rest.is_empty() {
        return Err(malformed());
    }
    Ok(Material::Rsa {
        modulus: modulus.to_vec(),
        exponent: exponent.to_vec(),
    })
}

/// A field of RFC 4251 section 5: four bytes of length, then as many bytes.
fn field<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (field, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(field)
}
