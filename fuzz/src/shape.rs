//! From bytes to a header and claims that are nearly good: every few bytes change, add, repeat or spoil one member.
//!
//! Text comes out and no JSON value, because what matters is what two parsers make of it: members twice, names in
//! escapes, numbers that no type holds. Signed with a right key, it gets past the signature, where arbitrary bytes never
//! would.

/// The members of a header and of claims, as JSON text, in order.
#[derive(Debug, Clone)]
pub struct Shape {
    header: Vec<(String, String)>,
    claims: Vec<(String, String)>,
    padding: usize,
}

const HEADER_NAMES: [&str; 18] = [
    "alg",
    "kid",
    "typ",
    "cty",
    "crit",
    "b64",
    "enc",
    "zip",
    "jku",
    "jwk",
    "x5u",
    "x5c",
    "x5t",
    "x5t#S256",
    "url",
    "nonce",
    "p2c",
    "\\u0061lg",
];

const CLAIM_NAMES: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "cnf",
    "scope",
    "azp",
    "client_id",
    "x",
    "a/b",
    "i\\u0073s",
    "",
    "exp ",
];

/// JSON texts; `$` is the present second, `$+1` and so on are near it.
const VALUES: [&str; 72] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "1e400",
    "1e308",
    "9007199254740992",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "$",
    "$+600",
    "$+29",
    "$+30",
    "$+31",
    "$-29",
    "$-30",
    "$-31",
    "$-600",
    "$+600.5",
    "$-29.5",
    "$-30.5",
    "$e0",
    "\"$\"",
    "[$]",
    "\"\"",
    "[]",
    "{}",
    "\"JWT\"",
    "\"at+jwt\"",
    "\"application/AT+JWT\"",
    "\"dpop+jwt\"",
    "\"none\"",
    "\"RS256\"",
    "\"RS384\"",
    "\"RS512\"",
    "\"PS256\"",
    "\"PS384\"",
    "\"PS512\"",
    "\"ES256\"",
    "\"ES384\"",
    "\"ES512\"",
    "\"EdDSA\"",
    "\"Ed25519\"",
    "\"HS256\"",
    "\"rs256\"",
    "\"R\\u0053256\"",
    "\"https://acme.example/\"",
    "\"https://acme.example\"",
    "[\"https://acme.example/\"]",
    "\"https:\\/\\/acme.example\\/\"",
    "\"https://api.example/\"",
    "[\"https://api.example/\"]",
    "[\"x\",\"https://api.example/\"]",
    "[\"https://api.example/\",1]",
    "[[\"https://api.example/\"]]",
    "[\"exp\"]",
    "[\"b64\"]",
    "{\"jkt\":\"x\"}",
    "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
    "[\"MIIB\"]",
    "[1]",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"é\"",
    "{\"a\":1,\"a\":2}",
    "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
    "\"alice\"",
    "01",
];

/// The audience and issuer of a good token.
pub const ISSUER: &str = "https://acme.example/";
/// See [`ISSUER`].
pub const AUDIENCE: &str = "https://api.example/";
/// Seconds.
pub const LEEWAY: u64 = 30;

// === impl Shape ===

impl Shape {
    /// A good token for a key.
    pub fn good(algorithm: &str) -> Self {
        let own = |members: &[(&str, &str)]| {
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let name = format!("\"{algorithm}\"");
        Self {
            header: own(&[("alg", &name), ("typ", "\"JWT\""), ("kid", &name)]),
            claims: own(&[
                ("iss", &format!("\"{ISSUER}\"")),
                ("sub", "\"alice\""),
                ("aud", &format!("\"{AUDIENCE}\"")),
                ("iat", "$-10"),
                ("exp", "$+600"),
            ]),
            padding: 0,
        }
    }

    /// With another member in the header, or another value of one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        put(&mut self.header, name, value);
        self
    }

    /// With another claim, or another value of one.
    #[must_use]
    pub fn claim(mut self, name: &str, value: &str) -> Self {
        put(&mut self.claims, name, value);
        self
    }

    /// Applies every change that the bytes ask for: three bytes each, for what, which member, which value.
    #[must_use]
    pub fn changed(mut self, bytes: &[u8]) -> Self {
        for change in bytes.chunks_exact(3).take(24) {
            if let [what, name, value] = change {
                self.change(*what, usize::from(*name), usize::from(*value));
            }
        }
        self
    }

    fn change(&mut self, what: u8, name: usize, value: usize) {
        let (members, names): (_, &[&str]) = if what & 0x80 == 0 {
            (&mut self.claims, &CLAIM_NAMES)
        } else {
            (&mut self.header, &HEADER_NAMES)
        };
        let name = names.get(name % names.len()).copied().unwrap_or_default();
        let value = VALUES.get(value % VALUES.len()).copied().unwrap_or_default();
        match what % 8 {
            0..=2 => put(members, name, value),
            3 => members.push((name.to_owned(), value.to_owned())),
            4 => members.insert(0, (name.to_owned(), value.to_owned())),
            5 => members.retain(|(own, _)| own != name),
            6 => {
                for (_, own) in members.iter_mut().filter(|(own, _)| own == name) {
                    *own = format!("[{own}]");
                }
            }
            _ => self.padding += 1 + name.len(),
        }
    }

    /// Header and claims as text.
    pub fn text(&self, now_seconds: i64) -> (String, String) {
        let object = |members: &[(String, String)]| {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("\"{name}\":{}", at(value, now_seconds)))
                .collect();
            format!("{{{}{}}}", " ".repeat(self.padding), members.join(","))
        };
        (object(&self.header), object(&self.claims))
    }
}

fn put(members: &mut Vec<(String, String)>, name: &str, value: &str) {
    match members.iter_mut().find(|(own, _)| own == name) {
        Some((_, own)) => value.clone_into(own),
        None => members.push((name.to_owned(), value.to_owned())),
    }
}

/// A value with `$`, `$+1` or `$-1` resolved.
fn at(value: &str, now_seconds: i64) -> String {
    let Some((before, after)) = value.split_once('$') else {
        return value.to_owned();
    };
    let digits = after
        .get(1..)
        .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let offset: i64 = match after.as_bytes().first() {
        Some(b'+' | b'-') => after
            .get(..=digits)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
        _ => return format!("{before}{now_seconds}{after}"),
    };
    let rest = after.get(digits + 1..).unwrap_or_default();
    format!("{before}{}{rest}", now_seconds.saturating_add(offset))
}
