//! Identities as tables: claims in, what the mapping makes of them out.
//! What each step of a transformation does is beside it; here is how maps, defaults and what passes through meet.

use proptest::prelude::*;

use super::*;
use crate::token::json::{Object, parse_object};

fn renamed(renames: &[(&str, &str)]) -> ClaimMap {
    ClaimMap {
        claims: renames
            .iter()
            .map(|(remote, local)| MappedClaim::rename(remote, local))
            .collect(),
    }
}

fn mapping(renames: &[(&str, &str)], kept: &[&str]) -> ClaimMapping {
    ClaimMapping {
        default: ClaimMap::default(),
        own: renamed(renames),
        scopes: ["scope", "scp"].map(ClaimPath::parse).into(),
        client_ids: ["azp", "client_id", "consumerKey"].map(ClaimPath::parse).into(),
        kept: kept.iter().map(|path| ClaimPath::parse(path)).collect(),
    }
}

fn identity(mapping: &ClaimMapping, claims: &str) -> Result<Identity, IdentityError> {
    mapping.read(
        &IssuerName::new("https://acme.example/"),
        &parse_object(claims.as_bytes()).unwrap(),
        &["tenant".into(), "employee".into()],
    )
}

/// The first kept claim as a header would show it.
fn shown(identity: &Identity) -> Option<String> {
    identity.claim(0).and_then(claim_text).map(|text| match text {
        ClaimText::One(text) => text.into_owned(),
        ClaimText::Many(members) => members.join("|"),
    })
}

#[test]
fn claims_are_renamed_and_the_rest_passes_through() {
    let renames = [
        ("https://acme.example/roles", "roles"),
        ("realm.access", "access"),
        ("/a/b/0", "first"),
    ];
    for (claims, kept, expected) in [
        (
            r#"{"https://acme.example/roles":"admin"}"#,
            "roles",
            Some("admin"),
        ),
        (
            r#"{"https://acme.example/roles":"admin","roles":"guest"}"#,
            "roles",
            Some("admin"),
        ),
        (r#"{"roles":"guest"}"#, "roles", Some("guest")),
        (r#"{"realm":{"access":"yes"}}"#, "access", Some("yes")),
        (
            r#"{"realm.access":"literal","realm":{"access":"path"}}"#,
            "access",
            Some("literal"),
        ),
        (r#"{"a":{"b":["x","y"]}}"#, "first", Some("x")),
        (r#"{"name":{"given":"Ada"}}"#, "name.given", Some("Ada")),
        (r#"{"name.given":"literal"}"#, "name.given", Some("literal")),
        (r#"{"name":{"given":"Ada"}}"#, "/name/given", Some("Ada")),
        (r#"{"a/b":{"~":"x"}}"#, "/a~1b/~0", Some("x")),
        (r#"{"n":42}"#, "n", Some("42")),
        (r#"{"n":[1,true,"x",null]}"#, "n", Some("1|true|x")),
        (r#"{"n":[[1]]}"#, "n", Some("[[1]]")),
        (r#"{"n":{"a":1}}"#, "n", Some("{\"a\":1}")),
        (r#"{"n":null}"#, "n", None),
        (r#"{}"#, "n", None),
    ] {
        let identity = identity(&mapping(&renames, &[kept]), claims).unwrap();
        assert_eq!(shown(&identity).as_deref(), expected, "{claims} {kept}");
    }
}

#[test]
fn scopes_are_exact_members() {
    for (claims, scope, expected) in [
        (r#"{"scope":"read write"}"#, "read", true),
        (r#"{"scope":"readonly"}"#, "read", false),
        (r#"{"scope":"read\twrite"}"#, "read", false),
        (r#"{"scope":"  read  "}"#, "read", true),
        (r#"{"scope":""}"#, "", false),
        (r#"{"scp":["read","write all"]}"#, "write all", true),
        (r#"{"scp":["read write"]}"#, "read", false),
        (r#"{"scope":"a","scp":["b"]}"#, "b", false),
    ] {
        assert_eq!(
            identity(&mapping(&[], &[]), claims).unwrap().has_scope(scope),
            expected,
            "{claims} {scope}"
        );
    }
}

#[test]
fn the_first_client_id_decides_and_wrong_types_deny() {
    for (claims, expected) in [
        (r#"{"azp":"a","client_id":"b"}"#, Ok(Some("a"))),
        (r#"{"client_id":"b"}"#, Ok(Some("b"))),
        (r#"{"consumerKey":"c"}"#, Ok(Some("c"))),
        (r#"{"sub":"s"}"#, Ok(None)),
        (r#"{"azp":1}"#, Err(IdentityError::ClientIdType)),
        (
            r#"{"azp":null,"client_id":"b"}"#,
            Err(IdentityError::ClientIdType),
        ),
        (r#"{"sub":1}"#, Err(IdentityError::SubjectType)),
        (r#"{"scope":1}"#, Err(IdentityError::ScopesType)),
        (r#"{"scope":["a",1]}"#, Err(IdentityError::ScopesType)),
        (r#"{"scope":{}}"#, Err(IdentityError::ScopesType)),
    ] {
        let identity = identity(&mapping(&[], &[]), claims);
        assert_eq!(
            identity.as_ref().map(|i| i.client_id.as_deref()).map_err(|e| *e),
            expected,
            "{claims}"
        );
    }
}

#[test]
fn the_issuers_map_works_on_what_the_default_map_shows() {
    let mut layered = mapping(&[], &["role"]);
    layered.default = renamed(&[("https://x.example/groups", "groups"), ("grade", "role")]);
    layered.own = renamed(&[("groups", "role"), ("role", "rank"), ("sub", "groups")]);
    for (claims, kept, expected) in [
        // A name that only the default map made.
        (r#"{"https://x.example/groups":"a"}"#, "role", Some("a")),
        (r#"{"groups":"a"}"#, "role", Some("a")),
        (
            r#"{"groups":"a","https://x.example/groups":"b"}"#,
            "role",
            Some("b"),
        ),
        // The issuer's wins where both name it; the default map's serves where the issuer's finds nothing.
        (r#"{"groups":"a","grade":"b"}"#, "role", Some("a")),
        (r#"{"grade":"b"}"#, "role", Some("b")),
        (r#"{"role":"c"}"#, "role", Some("c")),
        // The issuer's remote claim is the default map's result, not the token's claim.
        (r#"{"grade":"b","role":"c"}"#, "rank", Some("b")),
        // Within one map nothing is mapped twice.
        (r#"{"sub":"s"}"#, "role", None),
        (r#"{"sub":"s"}"#, "groups", Some("s")),
        // Paths go through maps, too.
        (r#"{"https://x.example/groups":["a","b"]}"#, "/role/1", Some("b")),
        (r#"{"grade":{"now":"x"}}"#, "role.now", Some("x")),
    ] {
        layered.kept = Arc::new([ClaimPath::parse(kept)]);
        let identity = identity(&layered, claims).unwrap();
        assert_eq!(shown(&identity).as_deref(), expected, "{claims} {kept}");
    }
}

#[test]
fn what_is_absent_has_its_default_and_what_does_not_match_is_absent() {
    let claim = |transformation: Transformation, default: Option<&'static str>| MappedClaim {
        transformation,
        default: default.map(|text| Value::String(text.into())),
        ..MappedClaim::rename("remote", "local")
    };
    let pattern = || Transformation {
        pattern: Pattern::parse("^app-(.+)$").ok(),
        ..Transformation::default()
    };
    let plain = Transformation::default;
    for (claims, claim, expected) in [
        (r#"{"remote":"r"}"#, claim(plain(), Some("d")), Some("r")),
        (r#"{"remote":""}"#, claim(plain(), Some("d")), Some("")),
        (r#"{"remote":null}"#, claim(plain(), Some("d")), Some("d")),
        (r#"{"remote":null,"local":"l"}"#, claim(plain(), None), None),
        (r#"{}"#, claim(plain(), Some("d")), Some("d")),
        (r#"{"local":"l"}"#, claim(plain(), Some("d")), Some("d")),
        (r#"{"local":"l"}"#, claim(plain(), None), Some("l")),
        (r#"{"remote":"app-x"}"#, claim(pattern(), Some("d")), Some("x")),
        (r#"{"remote":"x"}"#, claim(pattern(), Some("d")), Some("d")),
        // What the mapping feeds and cannot feed is not fed by a namesake.
        (r#"{"remote":"x","local":"l"}"#, claim(pattern(), None), None),
        (r#"{"local":"l"}"#, claim(pattern(), None), Some("l")),
        (r#"{"remote":null,"local":"l"}"#, claim(pattern(), None), None),
    ] {
        let mut mapping = mapping(&[], &["local"]);
        mapping.own.claims = Arc::new([claim]);
        let identity = identity(&mapping, claims).unwrap();
        assert_eq!(shown(&identity).as_deref(), expected, "{claims} {mapping:?}");
    }
}

#[test]
fn scopes_client_id_and_subject_are_read_through_the_mapping() {
    let split = Transformation {
        split: Some(",".into()),
        prefix: Some("acme:".into()),
        ..Transformation::default()
    };
    let lowercase = Transformation {
        lowercase: true,
        ..Transformation::default()
    };
    let mapped = |remote: &str, local: &str, transformation: &Transformation| MappedClaim {
        transformation: transformation.clone(),
        ..MappedClaim::rename(remote, local)
    };
    let mut all = mapping(&[], &["sub"]);
    all.own.claims = Arc::new([
        mapped("permissions", "scope", &split),
        mapped("app", "azp", &lowercase),
        mapped("uid", "sub", &Transformation::default()),
    ]);
    let claims = r#"{"permissions":"read,write","scope":"admin","app":"Mobile","uid":"u1","sub":"root"}"#;
    let found = identity(&all, claims).unwrap();
    assert!(found.has_scope("acme:read") && found.has_scope("acme:write") && !found.has_scope("admin"));
    assert_eq!(found.client_id.as_deref(), Some("mobile"));
    assert_eq!(found.subject.as_deref(), Some("u1"));
    assert_eq!(shown(&found).as_deref(), Some("u1"), "the header says the same");
    for (claims, expected) in [
        (
            r#"{"permissions":["read"],"uid":"u"}"#,
            IdentityError::TransformationType,
        ),
        (r#"{"app":1,"uid":"u"}"#, IdentityError::TransformationType),
        (r#"{"app":"a","uid":1}"#, IdentityError::SubjectType),
        (r#"{"app":"a","uid":null}"#, IdentityError::SubjectType),
        (r#"{"app":"a","sub":"root"}"#, IdentityError::SubjectMissing),
    ] {
        assert_eq!(identity(&all, claims).err(), Some(expected), "{claims}");
    }
}

#[test]
fn where_sub_is_mapped_the_tokens_own_is_nobody() {
    let prefix = Transformation {
        prefix: Some("acme:".into()),
        ..Transformation::default()
    };
    let mut layered = mapping(&[], &[]);
    layered.default = renamed(&[("uid", "sub")]);
    layered.own.claims = Arc::new([MappedClaim {
        transformation: prefix,
        ..MappedClaim::rename("sub", "sub")
    }]);
    for (claims, expected) in [
        (r#"{"uid":"u","sub":"root"}"#, Ok(Some("acme:u"))),
        (r#"{"sub":"root"}"#, Err(IdentityError::SubjectMissing)),
        (r#"{}"#, Err(IdentityError::SubjectMissing)),
    ] {
        let found = identity(&layered, claims);
        let subject = found.as_ref().map(|found| found.subject.as_deref());
        assert_eq!(subject.map_err(|error| *error), expected, "{claims}");
    }
    // Two maps that both name it: the default map's is good where the issuer's finds nothing.
    layered.own = renamed(&[("mail", "sub")]);
    for (claims, expected) in [
        (r#"{"mail":"m","uid":"u","sub":"root"}"#, Ok(Some("m"))),
        (r#"{"uid":"u","sub":"root"}"#, Ok(Some("u"))),
        (r#"{"sub":"root"}"#, Err(IdentityError::SubjectMissing)),
    ] {
        let found = identity(&layered, claims);
        let subject = found.as_ref().map(|found| found.subject.as_deref());
        assert_eq!(subject.map_err(|error| *error), expected, "{claims}");
    }
}

/// What a map of plain renames means, in the fewest words: the remote claim if it is there, else the namesake.
fn by_the_book<'v>(renames: &[(&str, &str)], claims: &'v Object<'v>, local: &str) -> Option<&'v Value<'v>> {
    let rename = renames.iter().find(|(_, to)| *to == local);
    rename
        .and_then(|(from, _)| claims.get(from))
        .or_else(|| claims.get(local))
}

proptest! {
    #[test]
    fn plain_renames_hand_out_the_tokens_own_values(
        members in proptest::collection::btree_map("[a-d]", 0..9_u32, 0..4),
        renames in proptest::collection::btree_map("[a-d]", "[a-d]", 0..4),
    ) {
        let text = serde_json::to_string(&members).unwrap();
        let claims = parse_object(text.as_bytes()).unwrap();
        let renames: Vec<(&str, &str)> =
            renames.iter().map(|(local, remote)| (remote.as_str(), local.as_str())).collect();
        let (map, empty) = (renamed(&renames), ClaimMap::default());
        let token = Source::Token(&claims);
        prop_assert!(empty.above(token).unwrap().is_none());
        let layer = map.above(token).unwrap();
        let source = layer.as_ref().map_or(token, Source::Layer);
        for name in ["a", "b", "c", "d"] {
            let found = source.find(&ClaimPath::parse(name));
            let expected = by_the_book(&renames, &claims, name);
            // The same value, not an equal one: nothing is copied.
            prop_assert_eq!(found.map(std::ptr::from_ref), expected.map(std::ptr::from_ref));
        }
    }
}

#[test]
fn claims_that_are_asked_for_are_read_after_mapping_and_only_if_they_are_text() {
    let mapping = mapping(&[("org", "tenant")], &[]);
    for (claims, expected) in [
        (r#"{"org":"acme","employee":"7"}"#, [Some("acme"), Some("7")]),
        (
            r#"{"org":"acme","tenant":"globex","employee":7}"#,
            [Some("acme"), None],
        ),
        (r#"{"employee":["7"]}"#, [None, None]),
    ] {
        let identity = identity(&mapping, claims).unwrap();
        assert_eq!([identity.asked(0), identity.asked(1)], expected, "{claims}");
        assert_eq!(identity.asked(2), None);
    }
}
