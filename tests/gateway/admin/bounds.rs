//! The longest body there may be: whatever is taken in is kept, shown and noted whole.
//! A record says more than the body that it is made of, so its bound must be the wider one.

use serde_json::{Value, json};

use super::{Scene, json_body};
use crate::harness::{Response, post, request};

/// The longest body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What an application says of itself, in exactly so many bytes, of which none is idle; `letter` is what fills it.
fn body(mut new: Value, letter: &str, length: usize) -> String {
    let claim = |set: usize, place: usize| (format!("{letter}-{set}-{place}"), json!(letter.repeat(200)));
    let claims = |set: usize| Value::Object((0..3).map(|place| claim(set, place)).collect());
    new["claim_sets"] = (0..98).map(claims).collect();
    new["name"] = json!("");
    for place in 3..20 {
        if length - new.to_string().len() <= 256 {
            break;
        }
        let (name, value) = claim(97, place);
        new["claim_sets"][97][name] = value;
    }
    let missing = length - new.to_string().len();
    assert!(missing <= 256, "{missing} bytes are missing");
    new["name"] = json!("n".repeat(missing));
    new.to_string()
}

#[test]
fn the_longest_body_is_kept_whole_and_one_byte_more_is_refused() {
    let mut scene = Scene::start();
    let make = |scene: &Scene, length: usize| -> Response {
        let text = body(json!({ "id": "full" }), "a", length);
        assert_eq!(text.len(), length);
        scene.tell(json_body(post("/v1/applications", text)))
    };
    let replace = |scene: &Scene, length: usize| -> Response {
        let text = body(json!({}), "b", length);
        let put = request("PUT", "/v1/applications/full").body(text);
        scene.tell(json_body(put).header("If-Match", "*"))
    };
    assert_eq!(make(&scene, BODY_BYTES_MAX + 1).code(), "body_too_large");
    let made = make(&scene, BODY_BYTES_MAX);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(replace(&scene, BODY_BYTES_MAX + 1).code(), "body_too_large");
    let replaced = replace(&scene, BODY_BYTES_MAX);
    assert_eq!(replaced.status, 200, "{}", replaced.text());
    for signal in ["none", "KILL"] {
        if signal != "none" {
            scene.restart(signal);
        }
        let shown = scene.show("/v1/applications/full").json();
        assert_eq!(shown, replaced.json(), "{signal}");
        let noted = scene.show("/v1/audit?limit=1").json()["items"][0].clone();
        assert_eq!(
            noted["before"]["claim_sets"],
            made.json()["claim_sets"],
            "{signal}"
        );
        assert_eq!(noted["after"]["claim_sets"], shown["claim_sets"], "{signal}");
    }
}
