//! What anybody may read: the public keys, and where everything is (RFC 8414, OpenID Connect Discovery 1.0).
//! Addresses are the operator's word: a `Host` is whatever a caller says.

use serde_json::json;

use super::answer::{Answer, Fault};
use super::who::Asked;
use crate::issuing::Refusal;

/// `GET /.well-known/jwks.json` (RFC 7517).
pub(super) fn jwks(asked: &Asked) -> Result<Answer, Fault> {
    Ok(Answer::Page {
        content_type: "application/jwk-set+json",
        body: asked.issuing()?.keys.jwks(asked.now),
    })
}

/// `GET /.well-known/openid-configuration`, and `.../oauth-authorization-server`.
pub(super) fn metadata(asked: &Asked) -> Result<Answer, Fault> {
    let issuing = asked.issuing()?;
    let Some(base) = &issuing.base else {
        let what = "the issuer is no URL, and `public_uri` does not say where clients find it";
        return Err(Refusal::NotConfigured(what).into());
    };
    let at = |path: &str| format!("{base}{path}");
    let mut algorithms: Vec<&str> = Vec::new();
    for key in issuing.keys.announced(asked.now) {
        if !algorithms.contains(&key.algorithm().name()) {
            algorithms.push(key.algorithm().name());
        }
    }
    let authentication = ["client_secret_basic", "client_secret_post"];
    let mut body = json!({
        "issuer": issuing.issuer.as_str(),
        "token_endpoint": at("/token"),
        "token_endpoint_auth_methods_supported": authentication,
        "jwks_uri": at("/.well-known/jwks.json"),
        "introspection_endpoint": at("/introspect"),
        "introspection_endpoint_auth_methods_supported": authentication,
        "grant_types_supported": ["client_credentials"],
        // There is no authorization endpoint; both standards want to be told what it answers.
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
    });
    if let (Some(members), true) = (body.as_object_mut(), asked.service.api.registrar.is_some()) {
        members.insert("revocation_endpoint".to_owned(), at("/revoke").into());
        members.insert(
            "revocation_endpoint_auth_methods_supported".to_owned(),
            json!(authentication),
        );
    }
    Ok(Answer::Page {
        content_type: "application/json",
        body: body.to_string(),
    })
}
