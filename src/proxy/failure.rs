//! What went wrong after the decision, as a code of the answer contract.
//! Whose fault it was decides: the upstream's is 502, 503 or 504, the caller's 400, 408 or 413, our own 500.

use pingora::{Error, ErrorSource, ErrorType};

use crate::access::Code;

/// The code for a failure; nothing when the caller is gone and there is nobody to answer.
pub(super) fn code(error: &Error) -> Option<Code> {
    use ErrorType::{
        ConnectTimedout, ConnectionClosed, HTTPStatus, InvalidHTTPHeader, ReadError, ReadTimedout,
        WriteError, WriteTimedout,
    };
    match (error.etype(), error.esource()) {
        (HTTPStatus(413), _) => Some(Code::BodyTooLarge),
        (HTTPStatus(503), _) => Some(Code::UpstreamUnavailable),
        (ConnectTimedout | ReadTimedout | WriteTimedout, ErrorSource::Upstream) => {
            Some(Code::UpstreamTimeout)
        }
        (_, ErrorSource::Upstream) => Some(Code::UpstreamError),
        (ReadTimedout, ErrorSource::Downstream) => Some(Code::RequestTimeout),
        (WriteError | ReadError | ConnectionClosed | WriteTimedout, ErrorSource::Downstream) => None,
        (InvalidHTTPHeader, _) | (_, ErrorSource::Downstream) => Some(Code::BadRequest),
        (_, ErrorSource::Internal | ErrorSource::Unset) => Some(Code::InternalError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_by_whose_they_are() {
        use ErrorType::*;
        for (kind, source, expected) in [
            (ConnectRefused, ErrorSource::Upstream, Some(Code::UpstreamError)),
            (
                ConnectTimedout,
                ErrorSource::Upstream,
                Some(Code::UpstreamTimeout),
            ),
            (ReadTimedout, ErrorSource::Upstream, Some(Code::UpstreamTimeout)),
            (
                InvalidHTTPHeader,
                ErrorSource::Upstream,
                Some(Code::UpstreamError),
            ),
            (ConnectionClosed, ErrorSource::Upstream, Some(Code::UpstreamError)),
            (HTTPStatus(413), ErrorSource::Unset, Some(Code::BodyTooLarge)),
            (
                HTTPStatus(503),
                ErrorSource::Unset,
                Some(Code::UpstreamUnavailable),
            ),
            (ReadTimedout, ErrorSource::Downstream, Some(Code::RequestTimeout)),
            (ConnectionClosed, ErrorSource::Downstream, None),
            (WriteError, ErrorSource::Downstream, None),
            (InvalidHTTPHeader, ErrorSource::Downstream, Some(Code::BadRequest)),
            (InternalError, ErrorSource::Internal, Some(Code::InternalError)),
        ] {
            let mut error = Error::new(kind.clone());
            error.esource = source.clone();
            assert_eq!(code(&error), expected, "{kind:?} {source:?}");
        }
    }
}
