//! Tokens signed by the wrong key, in every way in which a token can suggest one.
//!
//! A key belongs to an issuer; what a token says about where its key is found is never believed, nor looked up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tollgate::token::Algorithm::Es256;

use super::{KeyServer, Page, config, issuer, judged};
use crate::harness::{Gateway, Issuer, Upstream};

#[test]
fn a_key_vouches_for_its_own_issuer_only_and_no_token_brings_its_key_along() {
    let (acme_name, globex_name) = ("https://acme.example/", "https://globex.example/");
    let [acme, globex] = [acme_name, globex_name].map(|name| Issuer::new(name, "k1", Es256));
    let [acme_keys, globex_keys] =
        [&acme, &globex].map(|issuer| KeyServer::start(Page::keys(&issuer.jwks())));
    let mallory = Issuer::new(acme_name, "mallory", Es256);
    let mallorys_keys = KeyServer::start(Page::keys(&mallory.jwks()));
    let upstream = Upstream::start();
    let timing = "jwks.cooldown = \"1s\"";
    let issuers = [
        (acme_name, issuer(acme_name, acme_keys.address(), timing)),
        (globex_name, issuer(globex_name, globex_keys.address(), timing)),
    ];
    let gateway = Gateway::start(&config(&upstream, &issuers));
    let code = |token: &str| judged(&gateway, token);
    let refused = (401, "invalid_token".to_owned());
    for issuer in [&acme, &globex] {
        assert_eq!(code(&issuer.token().text()).0, 200);
    }
    for (issuer, other) in [(&acme, &globex), (&globex, &acme)] {
        assert_eq!(code(&issuer.token().signed_by(other).text()), refused);
    }

    let address = mallorys_keys.address();
    let jwk = mallory.key.public_jwk("mallory");
    let certificate = URL_SAFE_NO_PAD.encode("certificate");
    for kid in ["mallory", "k1"] {
        for (name, value) in [
            ("jwk", jwk.clone()),
            ("jku", json!(format!("http://{address}/jwks"))),
            ("x5u", json!(format!("http://{address}/x5u"))),
            ("x5c", json!([certificate])),
            ("kid", json!(format!("http://{address}/kid"))),
        ] {
            let token = acme
                .token()
                .signed_by(&mallory)
                .header("kid", kid)
                .header(name, value);
            assert_eq!(code(&token.text()), refused, "{kid} {name}");
        }
    }
    // The public key as an HMAC secret, in the forms in which it can be had.
    let secrets = [
        acme.key.public_pem(),
        acme.key.public_jwk("k1").to_string(),
        acme.jwks(),
    ];
    for secret in &secrets {
        for algorithm in ["HS256", "HS384", "HS512", "none", "None"] {
            assert_eq!(code(&with_mac(&acme, algorithm, secret.as_bytes())), refused);
        }
    }
    assert_eq!(mallorys_keys.asked().len(), 0, "somebody looked a token's key up");
    for issuer in [&acme, &globex] {
        assert_eq!(code(&issuer.token().text()).0, 200);
    }
}

/// A token whose signature is a MAC, empty for `none`.
fn with_mac(issuer: &Issuer, algorithm: &str, secret: &[u8]) -> String {
    use aws_lc_rs::hmac;
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": issuer.kid }).to_string();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(issuer.token().claims_text().as_bytes())
    );
    let hash = match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => return format!("{signed}."),
    };
    let mac = hmac::sign(&hmac::Key::new(hash, secret), signed.as_bytes());
    format!("{signed}.{}", encode(mac.as_ref()))
}
