//! Why the gateway answers a request as it does: every stage of the decision, what it found, and the line of the
//! configuration that decided it.
//!
//! Nothing is decided here. The request is built as it would be read from a connection, `proxy::decide` decides, and an
//! observer takes notes; what follows only tells people what happened, in the words of the configuration. What a token
//! *says* is read anew for display; whether that is *true* comes from the notes alone. A token is never shown, nor is
//! its signature: header and claims are, because whoever asks holds the token.

mod advice;
mod cite;
mod limits;
mod lives;
mod opaque;
mod question;
mod record;
mod report;
mod stages;
mod text;
mod token;
mod words;

use std::net::IpAddr;

pub use question::{NotARequest, Question};
pub use report::{Cite, Denied, Explanation, Line, Outcome, Stage, StoreRecord, Verdict};

use self::record::Record;
use crate::access::DataPlane;
use crate::proxy::decide;
use crate::time::UnixTime;

/// Decides about a request and explains it. `client` is who is calling, as far as trusted proxies tell.
pub fn explain(
    plane: &DataPlane<'_>,
    question: &Question,
    client: Option<IpAddr>,
    now: UnixTime,
) -> Explanation {
    let mut record = Record::default();
    let decided = decide(plane, question.header(), client, now, &mut record);
    stages::tell(plane, question, client, now, &record, &decided)
}
