//! Exit codes: how scripts and service managers learn what happened. The numbers are those of BSD's `sysexits.h`, where
//! it has one.

/// Something else failed.
pub const FAILED: u8 = 1;
/// `explain`: the request would be denied.
pub const DENIED: u8 = 1;
/// Commands over the admin API: the gateway has refused, or whoever was asked has said no; nothing was changed.
pub const REFUSED: u8 = 1;
/// The command line is wrong, or a file that it names cannot be used; the number is `clap`'s.
pub const BAD_USAGE: u8 = 2;
/// `EX_IOERR`: the state cannot be used: the store is damaged, in use, or apart from its secret.
pub const STATE_UNUSABLE: u8 = 74;
/// `EX_IOERR`: commands over the admin API: it is done, but the answer could not be written out.
pub const NOT_WRITTEN: u8 = 74;
/// `EX_UNAVAILABLE`: an address cannot be bound.
pub const CANNOT_BIND: u8 = 69;
/// `EX_UNAVAILABLE`: the admin API is not reached, or cannot do now what it is asked.
pub const NOT_REACHED: u8 = 69;
/// `EX_NOPERM`: there is no admin token that can be used, or a certificate cannot be read.
pub const NO_TOKEN: u8 = 77;
/// `EX_CONFIG`: the configuration is not acceptable.
pub const BAD_CONFIGURATION: u8 = 78;
