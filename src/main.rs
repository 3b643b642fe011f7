//! The `tollgate` command. Flags and exit codes are in [`tollgate::cli`]; this file only hands over, so that all
//! of the program can be tested as a library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Every TLS connection of the process uses aws-lc; the first provider installed stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tollgate::cli::main(std::env::args_os())
}
