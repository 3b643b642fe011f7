//! Refusals and failures as gRPC clients expect them: 200 and a status of gRPC's own, in an answer of fields alone.
//!
//! A client of gRPC takes any other HTTP status for a broken server and shows its caller neither the code nor the
//! sentence. So the answer is what the protocol calls Trailers-Only: the header is also the trailer, and no body follows.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use pingora::Result;
use pingora::http::ResponseHeader;

use crate::access::Code;

/// What a `grpc-message` must percent-encode, besides all that is not ASCII.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

const MEDIA_TYPE: &str = "application/grpc";

/// Whether the caller speaks gRPC: `application/grpc`, with or without a format (`+proto`) or parameters. gRPC-Web is
/// another protocol.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes) else {
        return false;
    };
    let Some((kind, rest)) = kind.split_at_checked(MEDIA_TYPE.len()) else {
        return false;
    };
    kind.eq_ignore_ascii_case(MEDIA_TYPE.as_bytes())
        && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// The header of a Trailers-Only answer, with what a problem body would say.
pub(super) fn header(code: Code, reason: Option<&'static str>) -> Result<ResponseHeader> {
    let mut header = ResponseHeader::build(200, Some(12))?;
    header.insert_header(CONTENT_TYPE, MEDIA_TYPE)?;
    header.insert_header("grpc-status", code.grpc_status().to_string())?;
    let message = utf8_percent_encode(code.detail(), MESSAGE).to_string();
    header.insert_header("grpc-message", message)?;
    header.insert_header("x-problem-code", code.word())?;
    if let Some(reason) = reason {
        header.insert_header("x-problem-reason", reason)?;
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn grpc_is_told_from_what_begins_like_it() {
        for (kind, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC+json", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc ; a=b", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcs", false),
            ("application/grp", false),
            ("application/json", false),
            ("text/plain, application/grpc", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_asked_for(&headers), expected, "{kind}");
        }
        assert!(!is_asked_for(&HeaderMap::new()));
    }

    #[test]
    fn a_message_is_one_field_whatever_it_says() {
        for (message, expected) in [
            ("There is nothing here.", "There is nothing here."),
            ("100%", "100%25"),
            ("a\r\nb", "a%0D%0Ab"),
            ("é~", "%C3%A9~"),
        ] {
            assert_eq!(utf8_percent_encode(message, MESSAGE).to_string(), expected);
        }
    }
}
