//! What a token costs beside the one part of it that cannot be made cheaper: the library's signature over as many bytes by
//! a key that is parsed already. Both in one run, turn by turn, so that a neighbour who comes and goes slows both.
//!
//! `cargo bench --bench minting` prints both rates and their ratio, and fails if minting has less than nine tenths.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be set up says so and ends"
)]
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::Map;
use tollgate::id::{ApplicationId, IssuerName};
use tollgate::issuing::{Clients, Grant, KeyTime, OwnKey, OwnKeys, TokenService, own_rules};
use tollgate::time::UnixTime;
use tollgate::token::Algorithm;

/// What minting must reach of the raw rate.
const SHARE_MIN: f64 = 0.9;
/// Turns, each of both; their medians are compared.
const TURNS: usize = 21;
const TURN: Duration = Duration::from_millis(150);

type Sign = Box<dyn Fn(&[u8])>;

fn main() -> ExitCode {
    let mut good = true;
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let pem = OwnKey::generate(algorithm).unwrap();
        let service = service(algorithm, pem.expose());
        let raw = raw(algorithm, pem.expose());
        let message = signed_part(&mint(&service, 0));
        let (mut raw_rates, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            raw_rates.push(rate(|_| raw(black_box(&message))));
            rates.push(rate(|number| {
                black_box(mint(&service, number));
            }));
        }
        let (raw, minted) = (median(raw_rates), median(rates));
        let share = minted / raw;
        good &= share >= SHARE_MIN;
        println!(
            "{:6} raw {raw:8.0}/s  minted {minted:8.0}/s  {share:.3}",
            algorithm.name()
        );
    }
    match good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn service(algorithm: Algorithm, pem: &str) -> TokenService {
    let issuer = IssuerName::new("https://tokens.example.com");
    let lifetime = Duration::from_secs(600);
    let key = OwnKey::new("2026-a", algorithm, pem, KeyTime::default()).unwrap();
    TokenService {
        rules: own_rules(&issuer),
        issuer,
        base: None,
        audiences: vec!["https://api.example.com".into()],
        lifetime,
        keys: OwnKeys::new(vec![key], lifetime),
        clients: Clients::default(),
        custom_claims: None,
        custom_issuers: Vec::new(),
    }
}

/// Everything from the grant to the token, its id included.
fn mint(service: &TokenService, number: u64) -> String {
    let mut id = [0; 16];
    aws_lc_rs::rand::SecureRandom::fill(&SystemRandom::new(), &mut id).unwrap();
    let application = ApplicationId::new("mobile");
    let grant = Grant {
        subject: "mobile",
        application: &application,
        client_id: Some("mobile-app"),
        scope: "menu:read menu:write".to_owned(),
        custom: Map::new(),
    };
    let now = UnixTime::from_seconds(1_800_000_000 + i64::try_from(number % 1000).unwrap());
    service.issue(grant, id, now).unwrap().token
}

fn raw(algorithm: Algorithm, pem: &str) -> Sign {
    let der = pem::parse(pem).unwrap().into_contents();
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::from_pkcs8(&der).unwrap();
            let mut_signature = std::cell::RefCell::new(vec![0; pair.public_modulus_len()]);
            Box::new(move |message| {
                let signature = &mut *mut_signature.borrow_mut();
                pair.sign(&RSA_PKCS1_SHA256, &random, message, signature).unwrap();
                black_box(signature);
            })
        }
        _ => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap();
            Box::new(move |message| {
                black_box(pair.sign(&random, message).unwrap());
            })
        }
    }
}

fn signed_part(token: &str) -> Vec<u8> {
    token.rsplit_once('.').unwrap().0.as_bytes().to_vec()
}

fn rate(mut work: impl FnMut(u64)) -> f64 {
    let begun = Instant::now();
    let mut done: u64 = 0;
    while begun.elapsed() < TURN {
        for _ in 0..16 {
            work(done);
            done += 1;
        }
    }
    let done = u32::try_from(done).unwrap();
    f64::from(done) / begun.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap()
}
