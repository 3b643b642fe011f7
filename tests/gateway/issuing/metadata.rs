//! What anybody may read: where everything is (RFC 8414, OpenID Connect Discovery 1.0).
//! The service says it of itself by its configuration, and never by the `Host` that it was asked under.

use super::{Issuing, json, says};
use crate::harness::get;

#[test]
fn metadata_says_where_everything_is() {
    let world = Issuing::start("", "");
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let answer = world.ask(&get(path).host("evil.example"));
        assert_eq!(answer.status, 200);
        let body = json(&answer);
        for (member, expected) in [
            ("issuer", "https://tokens.example.com"),
            ("token_endpoint", "https://tokens.example.com/token"),
            ("jwks_uri", "https://tokens.example.com/.well-known/jwks.json"),
            ("introspection_endpoint", "https://tokens.example.com/introspect"),
        ] {
            assert_eq!(body[member], expected, "{member}");
        }
        assert_eq!(body["grant_types_supported"][0], "client_credentials");
        assert_eq!(body["id_token_signing_alg_values_supported"][0], "ES256");
        // Without a store nothing can be taken back.
        assert!(body.get("revocation_endpoint").is_none());
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    }
    let elsewhere = Issuing::start("public_uri = \"https://edge.example.com/tokens/\"", "");
    let body = json(&elsewhere.ask(&get("/.well-known/openid-configuration")));
    assert_eq!(body["token_endpoint"], "https://edge.example.com/tokens/token");
}

#[test]
fn an_issuer_that_is_no_url_has_no_metadata_unless_it_says_where_it_is() {
    let upstream = crate::harness::Upstream::start();
    let text = super::configuration(&upstream, "", "").replace("https://tokens.example.com", "legacy-issuer");
    let gateway = crate::harness::Gateway::start(&text);
    let world = Issuing { upstream, gateway };
    let answer = world.ask(&get("/.well-known/openid-configuration"));
    assert_eq!(says(&answer), "404 not_configured");
    assert_eq!(world.call("/orders/menu", &world.token()).status, 200);
}
