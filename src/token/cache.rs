//! Verified tokens, kept so that a token is verified once and not at every request.
//!
//! The key is the SHA-256 of the whole token, all 256 bits compared: no two tokens share an entry, and no entry can be
//! found without the token. What an entry is worth at a given moment is for its reader to judge; the cache only finds
//! it. Only tokens that passed every check get in, so nobody without an issuer's signature can fill it.
//!
//! It is a table of fixed size: a token has one bucket, a bucket eight places, and a newcomer takes an empty place, one
//! whose entry has run out, or the one that was not asked for longest. There is no lock, and nothing grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use arc_swap::{ArcSwapOption, Guard};
use aws_lc_rs::digest::{Context, SHA256, digest};

/// Places of a bucket: enough that a bucket is hardly ever full of tokens in use while others are empty.
const WAYS: usize = 8;
/// The largest table: 16 million entries are some gigabytes.
pub const CACHE_ENTRIES_MAX: usize = 1 << 24;

/// What a token is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

/// A bounded table of verified tokens.
#[derive(Debug)]
pub struct Cache<V> {
    /// As many as a power of two; none: the cache is off.
    buckets: Box<[Bucket<V>]>,
    entries: AtomicUsize,
    evictions: AtomicU64,
}

/// Something found; holding it keeps it alive.
pub struct Hit<V>(Guard<Option<Arc<Entry<V>>>>);

#[derive(Debug)]
struct Bucket<V> {
    places: [Place<V>; WAYS],
}

#[derive(Debug)]
struct Place<V> {
    /// The digest's first bytes, to pass over other entries without touching them. It may lag behind the entry; then
    /// the entry is missed once.
    tag: AtomicU64,
    /// When it was last asked for, in seconds.
    used_seconds: AtomicU32,
    entry: ArcSwapOption<Entry<V>>,
}

#[derive(Debug)]
struct Entry<V> {
    digest: TokenDigest,
    value: V,
}

// === impl TokenDigest ===

impl TokenDigest {
    /// Of the whole token, as received.
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Of the token together with whom it is shown to: what one says of it is nothing that another has said.
    pub fn under(context: &[u8; 32], token: &str) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(context);
        hash.update(token.as_bytes());
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(hash.finish().as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    fn tag(&self) -> u64 {
        self.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

// === impl Cache ===

impl<V> Cache<V> {
    /// A table for at least `entries` entries, rounded up to a power of two; 0: off.
    pub fn new(entries: usize) -> Self {
        let buckets = match entries.min(CACHE_ENTRIES_MAX).div_ceil(WAYS) {
            0 => 0,
            buckets => buckets.next_power_of_two(),
        };
        Self {
            buckets: (0..buckets)
                .map(|_| Bucket {
                    places: Default::default(),
                })
                .collect(),
            entries: AtomicUsize::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// The entry of a token. `now_seconds` keeps it from being thought forgotten.
    pub fn get(&self, digest: &TokenDigest, now_seconds: u32) -> Option<Hit<V>> {
        let tag = digest.tag();
        let bucket = self.bucket(tag)?;
        for place in &bucket.places {
            if place.tag.load(Ordering::Acquire) != tag {
                continue;
            }
            let entry = place.entry.load();
            if entry.as_ref().is_some_and(|entry| entry.digest == *digest) {
                // Read before write: within one second all cores share the line without fighting over it.
                if place.used_seconds.load(Ordering::Relaxed) != now_seconds {
                    place.used_seconds.store(now_seconds, Ordering::Relaxed);
                }
                return Some(Hit(entry));
            }
        }
        None
    }

    /// Puts an entry in place of a former one of the same token, of nothing, of one that `is_over`, or of the one that
    /// was not asked for longest.
    pub fn insert(&self, digest: TokenDigest, value: V, now_seconds: u32, is_over: impl Fn(&V) -> bool) {
        let tag = digest.tag();
        let Some(place) = self
            .bucket(tag)
            .and_then(|bucket| bucket.choose(&digest, is_over))
        else {
            return;
        };
        let former = place.entry.swap(Some(Arc::new(Entry { digest, value })));
        place.used_seconds.store(now_seconds, Ordering::Relaxed);
        place.tag.store(tag, Ordering::Release);
        match former {
            None => {
                self.entries.fetch_add(1, Ordering::Relaxed);
            }
            Some(former) if former.digest != digest => {
                self.evictions.fetch_add(1, Ordering::Relaxed);
            }
            Some(_) => {}
        }
    }

    /// How many entries there are, those that have run out included.
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries have made room for others so far.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    fn bucket(&self, tag: u64) -> Option<&Bucket<V>> {
        let mask = self.buckets.len().checked_sub(1)?;
        #[expect(clippy::cast_possible_truncation, reason = "any bits of a digest will do")]
        self.buckets.get(tag as usize & mask)
    }
}

// === impl Hit ===

impl<V> Hit<V> {
    /// What was found.
    pub fn value(&self) -> Option<&V> {
        self.0.as_ref().map(|entry| &entry.value)
    }
}

// === impl Bucket ===

impl<V> Bucket<V> {
    fn choose(&self, digest: &TokenDigest, is_over: impl Fn(&V) -> bool) -> Option<&Place<V>> {
        let mut best: Option<((u8, u32), &Place<V>)> = None;
        for place in &self.places {
            let entry = place.entry.load();
            let rank = match entry.as_ref() {
                Some(entry) if entry.digest == *digest => return Some(place),
                None => (0, 0),
                Some(entry) if is_over(&entry.value) => (1, 0),
                Some(_) => (2, place.used_seconds.load(Ordering::Relaxed)),
            };
            if best.as_ref().is_none_or(|(best, _)| rank < *best) {
                best = Some((rank, place));
            }
        }
        best.map(|(_, place)| place)
    }
}

// === impl Place ===

impl<V> Default for Place<V> {
    fn default() -> Self {
        Self {
            tag: AtomicU64::new(0),
            used_seconds: AtomicU32::new(0),
            entry: ArcSwapOption::empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cache: &Cache<usize>, token: &str, now: u32) -> Option<usize> {
        cache
            .get(&TokenDigest::of(token), now)
            .and_then(|hit| hit.value().copied())
    }

    #[test]
    fn what_was_put_in_is_found_by_its_whole_token_only() {
        let cache = Cache::new(64);
        cache.insert(TokenDigest::of("a"), 1, 0, |_| false);
        cache.insert(TokenDigest::of("b"), 2, 0, |_| false);
        cache.insert(TokenDigest::of("a"), 3, 0, |_| false);
        assert_eq!(
            (
                found(&cache, "a", 0),
                found(&cache, "b", 0),
                found(&cache, "c", 0)
            ),
            (Some(3), Some(2), None)
        );
        assert_eq!((cache.len(), cache.evictions()), (2, 0));
    }

    #[test]
    fn it_never_holds_more_than_its_size_and_keeps_what_is_used() {
        let cache = Cache::new(WAYS); // one bucket
        cache.insert(TokenDigest::of("kept"), 0, 0, |_| false);
        for i in 1..1000_usize {
            let now = u32::try_from(i).unwrap();
            assert_eq!(found(&cache, "kept", now), Some(0));
            cache.insert(TokenDigest::of(&i.to_string()), i, now, |_| false);
            assert!(cache.len() <= WAYS);
        }
        assert_eq!(cache.evictions(), 1000 - WAYS as u64);
    }

    #[test]
    fn entries_that_are_over_go_first() {
        let cache = Cache::new(WAYS);
        for i in 0..WAYS {
            cache.insert(TokenDigest::of(&i.to_string()), i, 100, |_| false);
        }
        cache.insert(TokenDigest::of("new"), 99, 0, |value| *value == 5);
        assert_eq!(found(&cache, "5", 0), None);
        assert_eq!(
            (0..WAYS)
                .filter(|i| found(&cache, &i.to_string(), 0).is_some())
                .count(),
            WAYS - 1
        );
    }

    #[test]
    fn a_cache_of_size_zero_finds_nothing() {
        let cache = Cache::new(0);
        cache.insert(TokenDigest::of("a"), 1, 0, |_| false);
        assert_eq!(found(&cache, "a", 0), None);
    }
}
