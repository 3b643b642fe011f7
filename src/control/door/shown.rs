//! Whose certificate was shown, as text for logs: a name that people know, and enough of the digest to tell it from the
//! next of that name. Who that is to the gateway is for whoever stands behind the door.

use aws_lc_rs::digest::{SHA256, digest};

/// So much of a certificate's name goes into a log.
const NAME_CHARS_MAX: usize = 200;

/// Whose certificate was shown, as TLS has verified it.
#[derive(Debug)]
pub(in crate::control) struct Shown(String);

// === impl Shown ===

impl Shown {
    /// The text.
    pub(in crate::control) fn name(&self) -> &str {
        &self.0
    }

    /// Of a certificate in DER: its subject, else its first other name, and enough of its digest to tell it from the
    /// next of that name.
    pub(in crate::control) fn of(certificate: &[u8]) -> Self {
        let name = match x509_parser::parse_x509_certificate(certificate) {
            Ok((_, certificate)) => {
                let subject = certificate.subject().to_string();
                let other = || {
                    let names = certificate.subject_alternative_name().ok()??;
                    names.value.general_names.first().map(ToString::to_string)
                };
                if subject.is_empty() {
                    other()
                } else {
                    Some(subject)
                }
            }
            Err(_) => None,
        };
        let name = name.unwrap_or_else(|| "unnamed".to_owned());
        let name: String = name
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_CHARS_MAX)
            .collect();
        Self(format!(
            "certificate:{name} ({})",
            beginning(digest(&SHA256, certificate).as_ref())
        ))
    }
}

/// Enough of a digest to tell one from the next.
pub(in crate::control) fn beginning(digest: &[u8]) -> String {
    hexadecimal(digest.get(..4).unwrap_or(digest))
}

pub(in crate::control) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
