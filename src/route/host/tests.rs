//! What names a host and what names none, and the form in which patterns are kept.
//!
//! Refused authorities are those that two parties could take apart differently.

use super::*;

#[test]
fn an_authority_names_a_host() {
    for (authority, host) in [
        ("api.example.com", "api.example.com"),
        ("api.example.com:443", "api.example.com"),
        ("API.Example.Com:1", "API.Example.Com"),
        ("example.com.", "example.com."),
        ("example.com.:65535", "example.com."),
        ("localhost", "localhost"),
        ("my_service-1", "my_service-1"),
        ("10.0.0.1:8080", "10.0.0.1"),
        ("[::1]", "[::1]"),
        ("[2001:DB8::1]:8443", "[2001:DB8::1]"),
        ("[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]"),
    ] {
        assert_eq!(authority_host(authority), Ok(host), "{authority}");
    }
}

#[test]
fn an_ambiguous_authority_names_none() {
    let long = "a".repeat(HOST_BYTES_MAX + 1);
    for (authority, error) in [
        ("", HostError::Empty),
        (":80", HostError::Empty),
        (&*long, HostError::TooLong),
        ("user@example.com", HostError::UserInfo),
        ("user:secret@example.com", HostError::UserInfo),
        ("example.com:80@evil.example", HostError::UserInfo),
        ("@example.com", HostError::UserInfo),
        ("a.example,b.example", HostError::ForbiddenByte),
        ("a.example, b.example", HostError::ForbiddenByte),
        ("a.example/b", HostError::ForbiddenByte),
        ("a.example\\b", HostError::ForbiddenByte),
        ("a.example?b", HostError::ForbiddenByte),
        ("a.example#b", HostError::ForbiddenByte),
        (" a.example", HostError::ForbiddenByte),
        ("a.example ", HostError::ForbiddenByte),
        ("a.example\t", HostError::ForbiddenByte),
        ("a.ex\0ample", HostError::ForbiddenByte),
        ("a%2eexample", HostError::ForbiddenByte),
        ("bücher.example", HostError::ForbiddenByte),
        ("*.example", HostError::ForbiddenByte),
        ("http://a.example", HostError::Port),
        (".", HostError::Label),
        ("..", HostError::Label),
        (".a.example", HostError::Label),
        ("a..example", HostError::Label),
        ("a.example..", HostError::Label),
        (&long[..LABEL_BYTES_MAX + 1], HostError::Label),
        ("a.example:", HostError::Port),
        ("a.example:0", HostError::Port),
        ("a.example:65536", HostError::Port),
        ("a.example:000080", HostError::Port),
        ("a.example:+80", HostError::Port),
        ("a.example:-1", HostError::Port),
        ("a.example:80 ", HostError::Port),
        ("a.example:http", HostError::Port),
        ("a.example:80:80", HostError::Port),
        ("::1", HostError::Empty),
        ("2001:db8::1", HostError::Port),
        ("[::1", HostError::Ipv6),
        ("[]", HostError::Ipv6),
        ("[10.0.0.1]", HostError::Ipv6),
        ("[fe80::1%25eth0]", HostError::Ipv6),
        ("[v1.x]", HostError::Ipv6),
        ("[::1]80", HostError::Port),
        ("[::1]]", HostError::Port),
        ("a[::1]", HostError::ForbiddenByte),
        ("[::1].example", HostError::Port),
    ] {
        assert_eq!(authority_host(authority), Err(error), "{authority}");
    }
    assert!(authority_host(&long[..LABEL_BYTES_MAX]).is_ok());
}

#[test]
fn patterns_are_read_into_the_form_that_is_compared() {
    for (text, pattern) in [
        ("*", HostPattern::Any),
        ("api.example.com", HostPattern::Exact("api.example.com".into())),
        ("API.Example.com.", HostPattern::Exact("api.example.com".into())),
        ("*.Example.com.", HostPattern::Suffix("example.com".into())),
        ("*.com", HostPattern::Suffix("com".into())),
        ("10.0.0.1", HostPattern::Exact("10.0.0.1".into())),
        ("[0:0::1]", HostPattern::Exact("[::1]".into())),
        ("[2001:DB8::1]", HostPattern::Exact("[2001:db8::1]".into())),
    ] {
        assert_eq!(HostPattern::parse(text), Ok(pattern), "{text}");
    }
    for (text, error) in [
        ("", HostPatternError::Host(HostError::Empty)),
        ("*.", HostPatternError::Host(HostError::Empty)),
        ("**", HostPatternError::Wildcard),
        ("*example.com", HostPatternError::Wildcard),
        ("*.*.example.com", HostPatternError::Wildcard),
        ("api.*.com", HostPatternError::Wildcard),
        ("*.[::1]", HostPatternError::Wildcard),
        ("api.example.com:443", HostPatternError::Port),
        ("[::1]:443", HostPatternError::Port),
        ("https://api.example.com", HostPatternError::Host(HostError::Port)),
        (
            "api.example.com/a",
            HostPatternError::Host(HostError::ForbiddenByte),
        ),
        ("*..example.com", HostPatternError::Host(HostError::Label)),
    ] {
        assert_eq!(HostPattern::parse(text), Err(error), "{text}");
    }
}
