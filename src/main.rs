//! The `tollgate` command. Flags and exit codes are in `tollgate::cli`; this file only hands over, so that all
//! of the program can be tested as a library.

fn main() {}
