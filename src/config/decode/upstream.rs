//! `[[upstream]]`: a named group of peers.
//! Every time limit has a default and a bound, so no upstream can hold a request for ever.

use std::time::Duration;

use super::{HOUR, MILLISECOND, MINUTE, SECOND};
use crate::config::place::Located;
use crate::config::schema::{Balance, Peer, Upstream};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static UPSTREAM: Shape = Shape {
    path: "upstream",
    title: "in [[upstream]]",
    keys: &[
        Key::Value("name"),
        Key::Table("peers", &PEER),
        Key::Value("balance"),
        Key::Value("connect_timeout"),
        Key::Value("read_timeout"),
        Key::Value("write_timeout"),
        Key::Value("idle_timeout"),
        Key::Value("retries"),
        Key::Later("health"),
        Key::Later("tls"),
    ],
};

static PEER: Shape = Shape {
    path: "upstream.peers",
    title: "in an entry of `peers` of [[upstream]]",
    keys: &[Key::Value("address"), Key::Value("weight")],
};

const CONNECT_TIMEOUT: Duration = SECOND;
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const RETRIES: usize = 1;
const RETRIES_MAX: usize = 10;
const WEIGHT: u32 = 1;
const WEIGHT_MAX: u32 = 1000;

static BALANCE: [(&str, Option<Balance>); 3] = [
    ("round_robin", Some(Balance::RoundRobin)),
    ("least_request", None),
    ("hash", None),
];

pub(super) fn upstream(value: Value<'_>) -> Option<Upstream> {
    let table = value.table(&UPSTREAM)?;
    let name = table.required("name", Value::text);
    let peers = table.required("peers", peers);
    let pause = |value: Value<'_>| value.duration(MILLISECOND..=HOUR);
    Some(Upstream {
        balance: table.word("balance", &BALANCE),
        connect_timeout: table.or(
            "connect_timeout",
            |value| value.duration(MILLISECOND..=MINUTE),
            CONNECT_TIMEOUT,
        ),
        read_timeout: table.or("read_timeout", pause, READ_TIMEOUT),
        write_timeout: table.or("write_timeout", pause, WRITE_TIMEOUT),
        idle_timeout: table.or(
            "idle_timeout",
            |value| value.duration(SECOND..=HOUR),
            IDLE_TIMEOUT,
        ),
        retries: table.or("retries", |value| value.integer(0..=RETRIES_MAX), RETRIES),
        name: name?,
        peers: peers?,
    })
}

fn peers(value: Value<'_>) -> Option<Located<Vec<Peer>>> {
    let peers = value.list_not_empty(peer)?;
    value.each_once(peers.iter().map(|peer| {
        let address = &peer.address;
        (address.value, &address.place, address.value.to_string())
    }));
    Some(value.located(peers))
}

/// `"ip:port"`, or a table when there is more to say.
fn peer(value: Value<'_>) -> Option<Peer> {
    if value.as_str().is_some() {
        return Some(Peer {
            address: value.address()?,
            weight: WEIGHT,
        });
    }
    if !value.is_table() {
        return value.expected("an address or a table");
    }
    let table = value.table(&PEER)?;
    let address = table.required("address", Value::address);
    let weight = table.or("weight", |value| value.integer(1..=WEIGHT_MAX), WEIGHT);
    Some(Peer {
        address: address?,
        weight,
    })
}
