//! What becomes of good configurations: defaults, what a plan takes over from its issuers, what is on offer.
//! These are the facts that the decision relies on without asking again.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::{API, KEY, Memory, NOW, PLAN, REST, snapshot};
use crate::access::{DataPlane, RequestView, evaluate};
use crate::api::{Api, Security};
use crate::issuer::{KeyRing, KeySource};
use crate::limit::{Forgeries, ForgeryBudget, Share};
use crate::revocation::Revocations;
use crate::snapshot::{AccessLogSettings, Snapshot};
use crate::subscription::{Index, Status};
use crate::token::{Algorithm, AlgorithmSet, Audience, Cache, TokenTypes};

fn only_api(snapshot: &Snapshot) -> &Arc<Api> {
    snapshot.apis.first().unwrap()
}

#[test]
fn defaults_are_those_of_the_reference() {
    let snapshot = snapshot(PLAN);
    assert_eq!(snapshot.generation, 7);
    assert_eq!(snapshot.process.threads, None);
    assert_eq!(snapshot.process.grace_period, Duration::from_secs(10));
    assert_eq!(snapshot.process.metrics, None);
    assert_eq!(snapshot.process.access_log, None);
    assert_eq!(snapshot.http.request_id_header, "x-request-id");
    assert!(!snapshot.http.verbose_errors);
    assert_eq!(
        snapshot.forgery_budget,
        ForgeryBudget {
            issuer: Some(Share::of_core(25)),
            source: Some(Share::of_core(5)),
            burst: Duration::from_millis(200),
            hold: Duration::from_secs(1),
        }
    );
    assert!(!snapshot.http.path_policy.merge_slashes && !snapshot.http.path_policy.strip_parameters);
    assert!(!snapshot.http.trusts([127, 0, 0, 1].into()));

    let rules = &snapshot.issuers.first().unwrap().rules;
    assert_eq!(&*rules.issuer, "acme");
    assert_eq!(rules.algorithms, AlgorithmSet::from_iter([Algorithm::Es256]));
    assert_eq!(rules.leeway, Duration::from_secs(30));
    assert_eq!(rules.max_lifetime, None);
    assert_eq!(rules.token_types, TokenTypes::new(["JWT", "at+jwt"]));
    let required: Vec<&str> = rules.required_claims.iter().map(|claim| &**claim).collect();
    assert_eq!(required, ["sub", "iat", "exp", "iss"]);

    let api = only_api(&snapshot);
    assert_eq!(&*api.context_path, "/orders");
    assert!(!api.strip_context_path && !api.forward_credential);
    assert_eq!(api.body_bytes_max, 64 * 1024 * 1024);
    assert_eq!(&*api.claim_headers.separator, ",");

    let plan = snapshot.plans.first().unwrap();
    assert_eq!(plan.id.as_str(), "orders/gold");
    assert_eq!(plan.security, Security::Jwt);
    assert!(plan.subscription_required);
    assert!(snapshot.warnings.is_empty());
}

#[test]
fn what_is_written_arrives() {
    let snapshot = snapshot(
        "[server]\nthreads = 3\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\nbody_bytes_max = 10\n\
         [metrics]\naddress = \"127.0.0.1:9190\"\n[access_log]\npath = \"logs/access.log\"\n\
         [[api]]\nname = \"root\"\ncontext_path = \"/\"\nupstream = \"sample\"\n",
    );
    assert_eq!(snapshot.process.threads, Some(3));
    assert_eq!(snapshot.process.metrics, Some(([127, 0, 0, 1], 9190).into()));
    assert_eq!(
        snapshot.process.access_log,
        Some(AccessLogSettings::File("logs/access.log".into()))
    );
    assert!(snapshot.http.trusts([10, 1, 2, 3].into()));
    assert!(!snapshot.http.trusts([11, 1, 2, 3].into()));
    let api = only_api(&snapshot);
    assert_eq!((&*api.context_path, api.body_bytes_max), ("", 10));
}

#[test]
fn a_plans_audiences_take_the_place_of_the_issuers() {
    let plan = |name: &str, more: &str| {
        format!("[[api.plan]]\nname = \"{name}\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\n{more}")
    };
    let snapshot = snapshot(&format!(
        "{API}{}{}{}",
        plan("issuers", ""),
        plan("own", "audiences = [\"partners\"]\n"),
        plan("any", "audiences = \"danger-accept-any\"\n"),
    ));
    let accepted = only_api(&snapshot).plans.for_issuer("acme", NOW).unwrap();
    for (audience, expected) in [
        (Audience::One("orders"), [true, false, true]),
        (Audience::One("partners"), [false, true, true]),
        (Audience::One("Orders"), [false, false, true]),
        (Audience::Absent, [false, false, true]),
    ] {
        let found: Vec<bool> = accepted
            .plans
            .iter()
            .map(|plan| plan.audiences.accept(audience, || false))
            .collect();
        assert_eq!(found, expected, "{audience:?}");
    }
}

#[test]
fn a_subscriptions_status_is_what_is_written_or_what_its_plan_begins_with() {
    for (plan, subscription, expected) in [
        ("", "", Status::Accepted),
        ("validation = \"auto\"\n", "", Status::Accepted),
        ("validation = \"manual\"\n", "", Status::Pending),
        (
            "validation = \"manual\"\n",
            "status = \"accepted\"\n",
            Status::Accepted,
        ),
        ("", "status = \"pending\"\n", Status::Pending),
        ("", "status = \"paused\"\n", Status::Paused),
        ("", "status = \"rejected\"\n", Status::Rejected),
        ("", "status = \"closed\"\n", Status::Closed),
        ("stage = \"deprecated\"\n", "", Status::Accepted),
        ("stage = \"closed\"\n", "", Status::Closed),
        ("stage = \"closed\"\n", "status = \"accepted\"\n", Status::Closed),
    ] {
        let snapshot = snapshot(&format!(
            "{PLAN}{plan}[[application]]\nid = \"mobile\"\nclient_ids = [\"m\"]\n\
             [[subscription]]\napplication = \"mobile\"\napi = \"orders\"\nplan = \"gold\"\n{subscription}"
        ));
        let terms = snapshot.declared.subscriptions.first().unwrap().terms;
        assert_eq!(terms.status, expected, "{plan}{subscription}");
    }
}

#[test]
fn staging_and_closed_plans_are_not_on_offer() {
    for (stage, offered) in [
        ("staging", false),
        ("published", true),
        ("deprecated", true),
        ("closed", false),
    ] {
        let snapshot = snapshot(&format!(
            "{API}[[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\nstage = \"{stage}\"\n"
        ));
        let plan = snapshot.plans.first().unwrap();
        assert_eq!(plan.is_on_offer(NOW), offered, "{stage}");
        let (headers, index) = (HeaderMap::new(), Index::default());
        let plane = DataPlane {
            snapshot: &snapshot,
            index: &index,
            verdicts: &Cache::new(0),
            forgeries: &Forgeries::default(),
            revocations: &Revocations::default(),
            counting: crate::access::Counting::Takes(&crate::limit::LocalCounters::default()),
        };
        let request = RequestView {
            method: "GET",
            host: "a.example",
            path: "/orders",
            query: None,
            headers: &headers,
            client: None,
            body_bytes: None,
        };
        let outcome = evaluate(&plane, &request, NOW, &mut ());
        let outcome = outcome.map(|permit| permit.under(&snapshot).unwrap().plan.name.to_string());
        let outcome = outcome.map_err(|denial| denial.reason());
        let expected = if offered {
            Ok("open".to_owned())
        } else {
            Err("route_not_found")
        };
        assert_eq!(outcome, expected, "{stage}");
    }
}

#[test]
fn indexes_lead_from_plans_to_their_apis() {
    let api = |name: &str, plans: &[&str]| {
        let plans: String = plans
            .iter()
            .map(|plan| {
                format!("[[api.plan]]\nname = \"{plan}\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\n")
            })
            .collect();
        format!("[[api]]\nname = \"{name}\"\ncontext_path = \"/{name}\"\nupstream = \"sample\"\n{plans}")
    };
    let snapshot = snapshot(&format!(
        "{}{}{}",
        api("a", &["x", "y"]),
        api("b", &[]),
        api("c", &["x"])
    ));
    for (place, plan) in snapshot.plans.iter().enumerate() {
        let api = snapshot.plan_apis.get(place).unwrap();
        assert_eq!(plan.index, place);
        assert_eq!(plan.id.as_str(), format!("{}/{}", api.name, plan.name));
        assert!(Arc::ptr_eq(api, snapshot.apis.get(api.index).unwrap()));
    }
    let ids: Vec<&str> = snapshot.plans.iter().map(|plan| plan.id.as_str()).collect();
    assert_eq!(ids, ["a/x", "a/y", "c/x"]);
    for (place, issuer) in snapshot.issuers.iter().enumerate() {
        assert_eq!(issuer.index, place);
    }
}

#[test]
fn a_ring_belongs_to_an_issuer_and_an_address() {
    let key_ring = KeyRing::default();
    let ring = |name: &str, url: &str| {
        let text =
            format!("[[issuer]]\nname = \"{name}\"\nalgorithms = [\"ES256\"]\njwks.url = \"{url}\"\n{REST}");
        let compiled = Memory::new(text).compile(&key_ring);
        let snapshot = compiled.map_err(|mistakes| mistakes.to_string()).unwrap();
        let issuer = snapshot.issuers.first().unwrap();
        assert!(matches!(issuer.source, KeySource::Jwks(_)));
        assert!(issuer.keys(NOW).is_none(), "nothing has been fetched");
        Arc::clone(&issuer.ring)
    };
    let first = ring("a", "https://a.example/jwks");
    assert!(Arc::ptr_eq(&first, &ring("a", "https://a.example/jwks")));
    assert!(Arc::ptr_eq(&first, &ring("a", "HTTPS://A.example:443/jwks")));
    assert!(!Arc::ptr_eq(&first, &ring("a", "https://a.example/other")));
    assert!(!Arc::ptr_eq(&first, &ring("b", "https://a.example/jwks")));
}

#[test]
fn keys_from_files_are_there_at_once_and_do_not_grow_stale() {
    let snapshot =
        snapshot("[[issuer]]\nname = \"a\"\nalgorithms = [\"ES256\"]\njwks.file = \"jwks.json\"\n");
    let centuries = Duration::from_secs(10_000_000_000);
    for issuer in &snapshot.issuers {
        let keys = issuer.keys(NOW.plus(centuries)).unwrap();
        assert_eq!(keys.set().unwrap().keys().len(), 1, "{}", issuer.name);
    }
}

#[test]
fn a_key_that_cannot_be_used_is_passed_over_with_a_warning() {
    let mut memory = Memory::new(format!(
        "[[issuer]]\nname = \"a\"\nalgorithms = [\"ES256\"]\njwks.file = \"mixed.json\"\n{REST}"
    ));
    let jwks = format!(
        "{{\"keys\":[{},{{\"kty\":\"RSA\",\"kid\":\"old\"}}]}}",
        KEY.public_jwk("new")
    );
    memory.0.insert("mixed.json".into(), jwks.into());
    let compiled = memory.compile(&KeyRing::default());
    let snapshot = compiled.map_err(|mistakes| mistakes.to_string()).unwrap();
    assert_eq!(
        snapshot.warnings,
        ["issuer a: key 1 (old) is not used: `n` is missing or malformed"]
    );
}

#[test]
fn a_claim_that_several_ask_for_is_kept_once() {
    let snapshot = snapshot(
        "[access_log]\npath = \"-\"\nclaims = [\"sub\", \"tenant\"]\n\
         [[api]]\nname = \"a\"\ncontext_path = \"/a\"\nupstream = \"sample\"\n\
         claim_headers = { X-User = \"sub\", X-Mail = \"email\" }\n\
         [[api.plan]]\nname = \"p\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\n\
         [[api]]\nname = \"b\"\ncontext_path = \"/b\"\nupstream = \"sample\"\n\
         claim_headers = { X-Tenant = \"tenant\", X-Sub = \"sub\" }\n",
    );
    let kept = &only_api(&snapshot)
        .plans
        .for_issuer("acme", NOW)
        .unwrap()
        .mapping
        .kept;
    let kept: Vec<&str> = kept.iter().map(|path| path.as_str()).collect();
    assert_eq!(kept, ["sub", "tenant", "email"]);
    let places = |api: usize| -> Vec<usize> {
        let fields = &snapshot.apis.get(api).unwrap().claim_headers.fields;
        fields.iter().map(|field| field.claim).collect()
    };
    assert_eq!((places(0), places(1)), (vec![0, 2], vec![1, 0]));
    let logged: Vec<usize> = snapshot.http.log_claims.iter().map(|(_, place)| *place).collect();
    assert_eq!(logged, [0, 1]);
}

#[test]
fn fields_that_the_gateway_sets_are_its_own_in_every_spelling() {
    let snapshot = snapshot(&format!("{API}claim_headers = {{ X-User-Id = \"sub\" }}\n"));
    for (name, owned) in [
        ("x-user-id", true),
        ("x_user_id", true),
        ("X-User-ID", true),
        ("x.user.id", true),
        ("x-request-id", true),
        ("x_forwarded_for", true),
        ("forwarded", true),
        ("x-user", false),
        ("xuserid", false),
        ("accept", false),
    ] {
        assert_eq!(snapshot.http.owns(name), owned, "{name}");
    }
}

#[test]
fn the_places_for_tokens_are_those_of_the_plans_on_offer() {
    let snapshot = snapshot(&format!(
        "{PLAN}token_from = {{ header = \"X-Token\", query = \"token\" }}\n\
         [[api.plan]]\nname = \"silver\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\n\
         token_from = {{ query = \"token\", cookie = \"session\" }}\n\
         [[api.plan]]\nname = \"later\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\nstage = \"staging\"\n\
         token_from = {{ cookie = \"later\" }}\n"
    ));
    fn names<'s>(sources: impl IntoIterator<Item = &'s crate::credential::Source>) -> Vec<String> {
        sources.into_iter().map(ToString::to_string).collect()
    }
    let plans = &snapshot.apis.first().unwrap().plans;
    assert_eq!(
        names(plans.sources(NOW)),
        ["header `x-token`", "cookie `session`", "query `token`"]
    );
    let accepted = plans.for_issuer("acme", NOW).unwrap();
    let of_plans: Vec<_> = accepted
        .on_offer(NOW)
        .map(|offered| names(&offered.plan.sources))
        .collect();
    assert_eq!(
        of_plans,
        [
            ["header `x-token`", "query `token`"],
            ["cookie `session`", "query `token`"]
        ]
    );
}
