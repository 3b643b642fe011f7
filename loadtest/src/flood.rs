//! Good callers while forged tokens pour in.
//!
//! Good callers send a moderate, fixed number of requests, half of them with one token that is remembered, half with
//! tokens that are new. In every other phase, strangers from other addresses send tokens whose signature has to be checked
//! to be refused: four times as many as one core could check. What counts is how much longer good callers wait.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::gateway::PATH;
use crate::http;
use crate::load::Sent;
use crate::paced::{self, Pace, Paced};
use crate::round::{Clocks, Flood, Row, latency};
use crate::runner::{Ground, Measured, bare_check_on};
use crate::sides::{Credentials, bearer};
use crate::table;
use crate::terminal::progress;
use crate::tokens::Kind;

const GOOD_PER_SECOND: f64 = 1_000.0;
const GOOD_CONNECTIONS: usize = 16;
/// Times what one core could check.
const FLOOD_FACTOR: f64 = 4.0;
const FLOOD_CONNECTIONS: usize = 1_024;
/// All in one network, and not in that of good callers.
const FLOOD_ADDRESSES: u8 = 16;
const FORGED_TOKENS: usize = 4_000;
/// How good callers' requests are told apart.
const CLASSES: [&str; 2] = ["remembered", "new"];

pub(crate) fn measure(ground: &mut Ground<'_>) -> Result<Measured> {
    let (Credentials::Tokens { keys, tokens }, options) = (ground.credentials, ground.options) else {
        return Err(Failure::new("a flood is one of tokens"));
    };
    let bare_check = keys.bare_check(tokens.get(..1_000).unwrap_or(tokens))?;
    let bare_check_us = bare_check_on(Some(&bare_check), options)?;
    let wanted = FLOOD_FACTOR * 1e6 / bare_check_us.unwrap_or(f64::INFINITY);
    let forged: Vec<(usize, Vec<u8>)> = keys
        .tokens(Kind::Forged, FORGED_TOKENS)?
        .iter()
        .map(|token| (0, http::request(PATH, &bearer(token))))
        .collect();
    // The first token alternates with all others in turn.
    let request = |token: &String| http::request(PATH, &bearer(token));
    let remembered = tokens.first().map(request).unwrap_or_default();
    let good: Vec<(usize, Vec<u8>)> = tokens
        .iter()
        .skip(1)
        .flat_map(|token| [(0, remembered.clone()), (1, request(token))])
        .collect();
    let mut good = Pace {
        address: ([127, 0, 0, 1], 0).into(),
        sources: Vec::new(),
        connections: GOOD_CONNECTIONS,
        per_second: GOOD_PER_SECOND,
        duration: Duration::from_secs(options.seconds),
        requests: good,
        start: 0,
        classes: CLASSES.len(),
        patient: true,
    };
    let mut bad = Pace {
        address: good.address,
        sources: (2..2 + FLOOD_ADDRESSES)
            .map(|last| Ipv4Addr::new(127, 1, 0, last))
            .collect(),
        connections: FLOOD_CONNECTIONS,
        per_second: wanted,
        duration: good.duration,
        requests: forged,
        start: 0,
        classes: 0,
        patient: false,
    };

    let mut measured = Measured::default();
    for running in &ground.sides {
        let side = running.side.name();
        measured.compared.extend(CLASSES.map(|class| {
            let name = |phase: &str| format!("{side} {phase}, {class}");
            (name("flooded"), name("calm"))
        }));
    }
    // Round 0 is the warm-up.
    for round in 0..=options.rounds {
        if round == 1 {
            table::header();
        }
        for running in &mut ground.sides {
            for flooded in [false, true] {
                progress(&format!(
                    "flood, round {round} of {}: {}",
                    options.rounds,
                    running.side.name()
                ));
                (good.address, bad.address) = (running.address, running.address);
                let before = Clocks::read(running, &ground.origin, options)?;
                let (mut sent, flood) = both(&good, flooded.then_some(&bad))?;
                let taken = Clocks::read(running, &ground.origin, options)?.since(&before, options);
                running.process.must_run()?;
                good.start = sent.next;
                let all = sent.answered() + flood.as_ref().map_or(0, Paced::answered);
                let told = flood.map(|flood| {
                    bad.start = flood.next;
                    Flood {
                        wanted_per_second: wanted,
                        reached_per_second: flood.answered() as f64 / flood.seconds,
                        statuses: flood.statuses,
                        socket_errors: flood.socket_errors,
                    }
                });
                let phase = if flooded { "flooded" } else { "calm" };
                for (class, name) in CLASSES.iter().enumerate() {
                    let row = Row {
                        round,
                        side: format!("{} {phase}, {name}", running.side.name()),
                        flood: told.clone(),
                        ..row(&mut sent, class, |sent| taken.row(running, all, sent))
                    };
                    if round > 0 {
                        table::row(&row);
                        measured.rows.push(row);
                    }
                }
            }
        }
    }
    Ok(measured)
}

/// Good callers, and strangers beside them if there are any.
fn both(good: &Pace, bad: Option<&Pace>) -> Result<(Paced, Option<Paced>)> {
    thread::scope(|scope| {
        let flood = bad.map(|bad| scope.spawn(|| paced::run(bad)));
        let sent = paced::run(good);
        let flood = flood.map(|flood| {
            flood
                .join()
                .unwrap_or_else(|_| Err(Failure::new("the thread that floods has died")))
        });
        Ok((sent?, flood.transpose()?))
    })
}

/// What callers of one class saw. What went wrong is told once, under the first.
fn row(sent: &mut Paced, class: usize, row: impl Fn(&Sent) -> Row) -> Row {
    let wrong: u64 = sent
        .statuses
        .iter()
        .filter(|(status, _)| **status != 200)
        .map(|(_, count)| count)
        .sum();
    let seconds = sent.seconds;
    let mut none = Vec::new();
    let latencies = sent.latencies_us.get_mut(class).unwrap_or(&mut none);
    let told = Sent {
        requests: latencies.len() as u64,
        seconds,
        refused: 0,
        socket_errors: if class == 0 { sent.socket_errors } else { 0 },
        latency: latency(latencies),
    };
    let mut row = row(&told);
    if class == 0 {
        row.wrong_answers = wrong;
        row.unanswered = Some(sent.unanswered);
    }
    row
}
