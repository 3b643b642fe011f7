//! The rules of applications, subscriptions and API keys, over a store in memory: no sockets, no files.
//! Two registrars over one store are two gateways; a third one is a restart.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::config::{Files, parse};
use crate::control::state::Versioned;
use crate::control::state::tests::Memory;
use crate::issuer::KeyRing;
use crate::snapshot::{Inputs, compile};

mod forgetting;
mod reloads;
mod steps;

const CONFIG: &str = r#"
[[listener]]
address = "127.0.0.1:0"

[[upstream]]
name = "sample"
peers = ["127.0.0.1:1"]

[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["a"]
jwks.url = "https://acme.example/jwks.json"

[[issuer]]
name = "globex"
algorithms = ["ES256"]
audiences = ["a"]
jwks.url = "https://globex.example/jwks.json"

[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]

[[api.plan]]
name = "silver"
security = "jwt"
validation = "manual"
issuers = ["acme"]

[[api.plan]]
name = "next"
security = "jwt"
stage = "staging"
issuers = ["acme"]

[[api.plan]]
name = "old"
security = "jwt"
stage = "deprecated"
issuers = ["acme"]

[[api.plan]]
name = "gone"
security = "jwt"
stage = "closed"
issuers = ["acme"]

[[api.plan]]
name = "keys"
security = "api_key"

[[api.plan]]
name = "spare"
security = "api_key"

[[api]]
name = "public"
context_path = "/public"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"

[[application]]
id = "declared"
client_ids = ["declared-app", { issuer = "globex", id = "half" }]

[[subscription]]
application = "declared"
api = "orders"
plan = "gold"
"#;

/// So many keys are chosen from, so that the same one is asked for again and again.
const CHOSEN: u64 = 40;

/// The configuration is all there is to read.
struct OneFile;

impl Files for OneFile {
    fn read(&self, path: &std::path::Path) -> std::io::Result<Vec<u8>> {
        if path != std::path::Path::new("t.toml") {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        Ok(CONFIG.as_bytes().to_vec())
    }

    fn list(&self, _: &std::path::Path) -> std::io::Result<Vec<std::path::PathBuf>> {
        Ok(Vec::new())
    }
}

struct Fixed(Arc<Snapshot>);

impl Publish for Fixed {
    fn publish(&self, _: Arc<Snapshot>) {}

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }
}

/// A store that two registrars share, as two gateways would.
struct Shared(Arc<Memory>);

impl Store for Shared {
    fn revision(&self) -> Result<Revision, StoreError> {
        self.0.revision()
    }

    fn load(
        &self,
        visit: &mut dyn FnMut(Key, Versioned) -> Result<(), StoreError>,
    ) -> Result<Revision, StoreError> {
        self.0.load(visit)
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        self.0.get(key)
    }

    fn list(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError> {
        self.0.list(kind, prefix, after, limit)
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        self.0.commit(batch)
    }

    fn changes(&self, after: Revision) -> Result<Changes, StoreError> {
        self.0.changes(after)
    }

    fn notes(&self, before: Option<Revision>, limit: usize) -> Result<Vec<(Revision, Vec<u8>)>, StoreError> {
        self.0.notes(before, limit)
    }
}

fn registrar(store: &Arc<Memory>) -> (Registrar, Arc<Index>) {
    let config = parse(std::path::Path::new("t.toml"), &OneFile).unwrap();
    let stages = Arc::new(Stages::default());
    let snapshot = compile(
        config,
        Inputs {
            files: &OneFile,
            key_ring: &KeyRing::default(),
            stages: &stages,
            counters: &crate::limit::LocalCounters::default(),
            now: UnixTime::from_seconds(0),
            generation: 1,
        },
    )
    .unwrap();
    let index = Arc::new(Index::default());
    index.set_key_secret(crate::subscription::ApiKeySecret::new(&[7; 32]));
    index.admit(&snapshot.declared);
    let cell = Arc::new(Fixed(Arc::new(snapshot)));
    let registrar = Registrar::begin(
        Box::new(Shared(Arc::clone(store))),
        Arc::clone(&index),
        cell,
        stages,
        Arc::default(),
    )
    .unwrap();
    (registrar, index)
}

fn actor() -> Actor {
    Actor("test".to_owned())
}

fn shown<T: serde::Serialize>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(view) => serde_json::to_value(view).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

fn create(registrar: &Registrar, new: Value) -> String {
    shown(registrar.create_application(&actor(), &serde_json::from_value(new).unwrap(), None))
}

fn subscribe(registrar: &Registrar, application: &str, api: &str, plan: &str) -> String {
    let new = json!({ "application": application, "api": api, "plan": plan });
    shown(registrar.create_subscription(&actor(), &serde_json::from_value(new).unwrap(), None))
}

#[test]
fn a_client_id_or_claim_set_identifies_one_application() {
    let (registrar, _) = registrar(&Arc::default());
    let taken =
        |by: &str, client: &str| format!("the client id `{client}` is that of the application `{by}`");
    for (new, expected) in [
        (
            json!({ "id": "a", "client_ids": [{ "id": "x", "issuer": "acme" }] }),
            "a".to_owned(),
        ),
        (
            json!({ "id": "b", "client_ids": [{ "id": "x", "issuer": "globex" }] }),
            "b".to_owned(),
        ),
        (
            json!({ "id": "c", "client_ids": [{ "id": "x", "issuer": "acme" }] }),
            taken("a", "x"),
        ),
        (
            json!({ "id": "c", "client_ids": [{ "id": "x" }] }),
            taken("a", "x"),
        ),
        (
            json!({ "id": "c", "client_ids": [{ "id": "declared-app" }] }),
            taken("declared", "declared-app"),
        ),
        (
            json!({ "id": "c", "client_ids": [{ "id": "declared-app", "issuer": "acme" }] }),
            taken("declared", "declared-app"),
        ),
        (
            json!({ "id": "c", "client_ids": [{ "id": "half" }] }),
            taken("declared", "half"),
        ),
        (
            json!({ "id": "c", "client_ids": [{ "id": "half", "issuer": "acme" }] }),
            "c".to_owned(),
        ),
        (
            json!({ "id": "d", "client_ids": [{ "id": "y" }, { "id": "y", "issuer": "acme" }] }),
            "`client_ids` has the same client id twice".to_owned(),
        ),
        (
            json!({ "id": "d", "client_ids": [{ "id": "y", "issuer": "nobody" }] }),
            "`client_ids` names an issuer that is not configured".to_owned(),
        ),
        (
            json!({ "id": "a" }),
            "there is already an application `a`".to_owned(),
        ),
        (
            json!({ "id": "declared" }),
            "there is already an application `declared`".to_owned(),
        ),
        (
            json!({ "id": "d:e" }),
            "`id` may hold only letters, digits, `.`, `_` and `-`, and begins with a letter or digit"
                .to_owned(),
        ),
        (
            json!({ "id": "d", "name": "" }),
            "`name` must hold texts of 1 to 256 bytes".to_owned(),
        ),
        (
            json!({ "id": "d", "owner": "a\nb" }),
            "`owner` must not hold control characters".to_owned(),
        ),
        (
            json!({ "id": "d", "claim_sets": [{ "a": "1", "b": "2" }] }),
            "d".to_owned(),
        ),
        (
            json!({ "id": "e", "claim_sets": [{ "a": "1", "b": "3" }] }),
            "e".to_owned(),
        ),
        (
            json!({ "id": "f", "claim_sets": [{ "a": "1" }] }),
            "a claim set would identify the application".to_owned(),
        ),
        (
            json!({ "id": "f", "claim_sets": [{ "a": "1", "b": "2", "c": "3" }] }),
            "a claim set would identify the application `d`, too".to_owned(),
        ),
        (
            json!({ "id": "f", "claim_sets": [{}] }),
            "`claim_sets` must hold sets of 1 to 20 claims".to_owned(),
        ),
    ] {
        let found = create(&registrar, new.clone());
        assert!(found.starts_with(&expected), "{new}: {found}");
    }
    registrar.delete_application(&actor(), "a", &None).unwrap();
    assert_eq!(
        create(
            &registrar,
            json!({ "id": "c2", "client_ids": [{ "id": "x", "issuer": "acme" }] })
        ),
        "c2"
    );
}

#[test]
fn a_subscription_goes_only_where_its_life_leads() {
    use Action::{Accept, Close, Pause, Reject, Resume};
    let (registrar, _) = registrar(&Arc::default());
    create(&registrar, json!({ "id": "a" }));
    for (application, api, plan, expected) in [
        ("nobody", "orders", "gold", "`application` is no application's id"),
        ("a", "nothing", "gold", "`api` is no API's name"),
        ("a", "orders", "tin", "`plan` is no plan of this API"),
        (
            "a",
            "public",
            "open",
            "the plan `public/open` is keyless: there is nothing to subscribe to",
        ),
        (
            "a",
            "orders",
            "next",
            "the plan `orders/next` is not published yet",
        ),
        (
            "a",
            "orders",
            "old",
            "the plan `orders/old` is deprecated: it takes no new subscriptions",
        ),
        ("a", "orders", "gone", "the plan `orders/gone` is closed"),
        (
            "declared",
            "orders",
            "gold",
            "there is already a subscription `declared:orders:gold`",
        ),
        ("declared", "orders", "silver", "declared:orders:silver"),
        ("a", "orders", "silver", "a:orders:silver"),
        (
            "a",
            "orders",
            "silver",
            "there is already a subscription `a:orders:silver`",
        ),
    ] {
        assert_eq!(subscribe(&registrar, application, api, plan), expected);
    }
    let step = |action| {
        let done = registrar.act_on_subscription(&actor(), "a:orders:silver", action, &None);
        done.ok().map(|view| {
            serde_json::to_value(view.status)
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        })
    };
    // From each status every action: where it leads, or nowhere.
    type Life<'l> = (&'l [Action], &'l str, [Option<&'l str>; 5]);
    let lives: [Life<'_>; 5] = [
        (
            &[],
            "pending",
            [Some("accepted"), Some("rejected"), None, None, Some("closed")],
        ),
        (
            &[Accept],
            "accepted",
            [None, None, Some("paused"), None, Some("closed")],
        ),
        (&[Reject], "rejected", [None; 5]),
        (
            &[Accept, Pause],
            "paused",
            [None, None, None, Some("accepted"), Some("closed")],
        ),
        (&[Close], "closed", [None; 5]),
    ];
    for (way, status, leads) in lives {
        for (action, expected) in [Accept, Reject, Pause, Resume, Close].into_iter().zip(leads) {
            registrar.delete_application(&actor(), "a", &None).unwrap();
            create(&registrar, json!({ "id": "a" }));
            subscribe(&registrar, "a", "orders", "silver");
            for taken in way {
                assert!(step(*taken).is_some(), "{status}");
            }
            assert_eq!(step(action).as_deref(), expected, "{status} {action:?}");
        }
    }
    let refused = registrar.act_on_subscription(&actor(), "declared:orders:gold", Pause, &None);
    assert!(matches!(refused, Err(Refusal::ReadOnly { .. })));
    // The last life was closed: a new subscription may take its place, and be moved.
    assert_eq!(subscribe(&registrar, "a", "orders", "silver"), "a:orders:silver");
    let to = |plan: &str| Move {
        plan: plan.to_owned(),
    };
    let moved = |plan| shown(registrar.move_subscription(&actor(), "a:orders:silver", &to(plan), &None));
    assert_eq!(
        moved("old"),
        "the plan `orders/old` is deprecated: it takes no new subscriptions"
    );
    assert_eq!(moved("gold"), "a:orders:gold");
    assert!(registrar.subscription("a:orders:silver").is_err());
}

#[test]
fn versions_and_repeated_requests_are_told_apart() {
    let (registrar, _) = registrar(&Arc::default());
    let new: NewApplication = serde_json::from_value(json!({ "id": "a" })).unwrap();
    let repeatable = |request: &str| Repeatable {
        key: "k1".to_owned(),
        request: request.to_owned(),
    };
    let first = registrar
        .create_application(&actor(), &new, Some(&repeatable("r1")))
        .unwrap();
    let again = registrar
        .create_application(&actor(), &new, Some(&repeatable("r1")))
        .unwrap();
    assert_eq!(again, first);
    let other = registrar.create_application(&actor(), &new, Some(&repeatable("r2")));
    assert!(matches!(other, Err(Refusal::KeyReused)));
    let version = |number: u64| Some(vec![Revision(number)]);
    let read = first.version.unwrap();
    let input = ApplicationInput::default();
    let replace = |number| registrar.replace_application(&actor(), "a", &input, &version(number));
    assert!(matches!(replace(read + 1), Err(Refusal::Stale)));
    let next = replace(read).unwrap().version.unwrap();
    assert!(next > read);
    assert!(matches!(replace(read), Err(Refusal::Stale)));
    assert!(matches!(
        registrar.delete_application(&actor(), "a", &version(read)),
        Err(Refusal::Stale)
    ));
    let entries = registrar.audit(None, 10).unwrap();
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["application.replace", "application.create"]);
    assert!(entries[0].before.is_some() && entries[0].after.is_some() && entries[1].before.is_none());
}

#[test]
fn pages_are_in_the_order_of_ids_and_hold_what_is_declared() {
    let (registrar, _) = registrar(&Arc::default());
    for number in 0..1100 {
        create(&registrar, json!({ "id": format!("c{number:04}") }));
    }
    let mut ids = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = registrar.applications(after.as_deref(), 7).unwrap();
        ids.extend(page.items.into_iter().map(|view| view.id));
        after = page.next;
        if after.is_none() {
            break;
        }
        assert_eq!(ids.last(), after.as_ref());
    }
    let mut expected: Vec<String> = (0..1100).map(|number| format!("c{number:04}")).collect();
    expected.push("declared".to_owned());
    assert_eq!(ids, expected);
}

#[test]
fn the_index_is_as_a_restart_would_make_it_and_as_a_second_gateway_makes_it() {
    let store = Arc::new(Memory::default());
    let (registrar_one, index_one) = registrar(&store);
    let (registrar_two, index_two) = registrar(&store);
    let mut seed = 42_u64;
    let mut random = move |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..1500 {
        let id = format!("a{}", random(6));
        let plan = ["gold", "silver", "keys", "spare"][usize::try_from(random(4)).unwrap()];
        let subscription = format!("{id}:orders:{plan}");
        let by = if random(2) == 0 {
            &registrar_one
        } else {
            &registrar_two
        };
        match random(12) {
            0 => {
                create(
                    by,
                    json!({ "id": id, "client_ids": [{ "id": format!("client{}", random(8)) }] }),
                );
            }
            1 => {
                // Seldom: most of what is to be seen goes with it.
                if random(4) == 0 {
                    let _ = by.delete_application(&actor(), &id, &None);
                }
            }
            2 => {
                let _ = by.suspend_application(&actor(), &id, random(2) == 0, &None);
            }
            3 => {
                subscribe(by, &id, "orders", plan);
            }
            4 => {
                let other = match plan {
                    "gold" => "silver",
                    "silver" => "gold",
                    "keys" => "spare",
                    _ => "keys",
                };
                let to = Move {
                    plan: other.to_owned(),
                };
                let _ = by.move_subscription(&actor(), &subscription, &to, &None);
            }
            5 => {
                let action = Action::ALL[usize::try_from(random(5)).unwrap()];
                let _ = by.act_on_subscription(&actor(), &subscription, action, &None);
            }
            6 | 7 => {
                let new = json!({ "key": format!("chosen-{}", random(CHOSEN)) });
                let new = serde_json::from_value(new).unwrap();
                let _ = by.create_api_key(&actor(), &subscription, &new, None);
            }
            8 => {
                let renewal =
                    json!({ "key": format!("chosen-{}", random(CHOSEN)), "grace_seconds": random(2) * 60 });
                let renewal = serde_json::from_value(renewal).unwrap();
                let _ = by.renew_api_keys(&actor(), &subscription, &renewal, None);
            }
            _ => {
                let Ok(page) = by.api_keys(&subscription) else {
                    continue;
                };
                let Some(key) = page.items.last() else { continue };
                if random(2) == 0 {
                    let _ = by.revoke_api_key(&actor(), &key.id, &None);
                } else {
                    let past = json!({ "expires_at": "2020-01-01T00:00:00Z" });
                    let expiry = serde_json::from_value(past).unwrap();
                    let _ = by.expire_api_key(&actor(), &key.id, &expiry, &None);
                }
            }
        }
    }
    // Each hears of the other's last changes with its own next one.
    for by in [&registrar_one, &registrar_two] {
        by.adopt(&by.cell.snapshot(), || {}).unwrap();
    }
    let (_, index_three) = registrar(&store);
    let known = |index: &Index| {
        let mut known = Vec::new();
        for client in 0..8 {
            let found = index.application("acme", &format!("client{client}"));
            known.push(found.map(|found| format!("{} {:?}", found.id, found.in_good_standing())));
        }
        for number in 0..CHOSEN {
            let found = index.api_key(&format!("chosen-{number}"), Clock.now());
            known.push(match found {
                Ok((key, owner)) => Some(format!("{} {}", key.id, owner.id)),
                Err(refused) => Some(refused.error.reason().to_owned()),
            });
        }
        for number in 0..6 {
            for plan in ["gold", "silver", "keys", "spare"] {
                let id = crate::id::ApplicationId::new(format!("a{number}"));
                let found = index.subscription(&id, &PlanId::of("orders", plan));
                known.push(found.map(|found| format!("{id} {plan} {:?}", found.terms())));
            }
        }
        known
    };
    assert_eq!(known(&index_one), known(&index_three));
    assert_eq!(known(&index_two), known(&index_three));
    let known = known(&index_one);
    assert!(known.iter().flatten().count() > 5);
    let seen = |wanted: &str| known.iter().flatten().any(|text| text.contains(wanted));
    assert!(
        seen(":keys:") && seen("api_key_revoked") && seen("api_key_expired"),
        "{known:?}"
    );
}
