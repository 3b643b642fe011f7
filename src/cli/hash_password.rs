//! `tollgate hash-password`: what stands in the configuration in place of a password or a client secret.
//! The secret comes from standard input, never from the command line, where every user of the machine can read it.

use std::io::Read as _;
use std::process::ExitCode;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use clap::Args;

use super::{fail, say};
use crate::control::private_file::random_text;
use crate::exit;
use crate::issuing::{SALT_BYTES, hash_password};

/// A longer one is a file that was sent by mistake.
const PASSWORD_BYTES_MAX: u64 = 1024;

/// Hashes a secret.
#[derive(Debug, Args)]
pub(super) struct HashPassword {
    /// Make a secret of 256 bits, and print it before its hash.
    #[arg(long)]
    generate: bool,
}

// === impl HashPassword ===

impl HashPassword {
    pub(super) fn run(self) -> ExitCode {
        let secret = if self.generate {
            match random_text() {
                Ok(secret) => secret.expose().clone(),
                Err(error) => return fail(exit::FAILED, &error.to_string()),
            }
        } else {
            let mut text = String::new();
            let read = std::io::stdin()
                .take(PASSWORD_BYTES_MAX + 2)
                .read_to_string(&mut text);
            if let Err(error) = read {
                return fail(exit::FAILED, &format!("standard input: {error}"));
            }
            // What ends a line that was typed or echoed is not part of it.
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            if text.is_empty() || text.len() as u64 > PASSWORD_BYTES_MAX {
                return fail(
                    exit::FAILED,
                    "a password has 1 to 1024 bytes; send it to standard input",
                );
            }
            text.to_owned()
        };
        let mut salt = [0; SALT_BYTES];
        if SystemRandom::new().fill(&mut salt).is_err() {
            return fail(exit::FAILED, "no random bytes can be had");
        }
        match hash_password(secret.as_bytes(), salt) {
            Ok(hash) => {
                if self.generate {
                    say(&secret);
                }
                say(&hash);
                ExitCode::SUCCESS
            }
            Err(error) => fail(exit::FAILED, &error.to_string()),
        }
    }
}
