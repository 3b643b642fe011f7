//! A request's body, read whole and within bounds: in bytes, and in time.
//! One that is too long is read on for a while and thrown away, so that whoever sends it can read why it was refused.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use hyper::body::Body as _;

/// How long a body may take to come.
const BODY_WAIT: Duration = Duration::from_secs(10);
/// So much of a body that is too long is read and thrown away.
const DRAINED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control) enum BodyError {
    /// It did not come in time.
    Late,
    /// It is longer than it may be.
    TooLong,
    /// It ended before its end.
    Cut,
}

/// The body, of which no more is ever kept than may be.
pub(in crate::control) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, BodyError> {
    let read = tokio::time::timeout(BODY_WAIT, read(headers, body, bytes_max));
    read.await.map_err(|_| BodyError::Late)?
}

async fn read(headers: &HeaderMap, mut body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let expects = headers.contains_key(http::header::EXPECT);
    if announced.is_some_and(|announced| announced > DRAINED_BYTES_MAX || (expects && announced > bytes_max))
    {
        return Err(BodyError::TooLong);
    }
    let mut kept = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| BodyError::Cut)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= bytes_max {
            kept.extend(data);
        } else if length <= DRAINED_BYTES_MAX {
            kept = Vec::new();
        } else {
            break;
        }
    }
    if length > bytes_max {
        return Err(BodyError::TooLong);
    }
    Ok(kept.into())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    const CHUNK: usize = 8 * 1024;

    /// Bytes that tell when they are gone.
    struct Counted(Vec<u8>, Arc<AtomicUsize>);

    /// A body of so many chunks, which notes how many were ever there at once.
    struct Long {
        left: usize,
        present: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_sub(1, Relaxed);
        }
    }

    impl hyper::body::Body for Long {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            self.left -= 1;
            let present = self.present.fetch_add(1, Relaxed) + 1;
            self.most.fetch_max(present, Relaxed);
            let chunk = Counted(vec![b'x'; CHUNK], Arc::clone(&self.present));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(chunk)))))
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_read_and_kept_nowhere() {
        for (chunks, whole) in [(0, true), (8, true), (9, false), (2000, false), (5000, false)] {
            let most = Arc::new(AtomicUsize::new(0));
            let long = Long {
                left: chunks,
                present: Arc::default(),
                most: Arc::clone(&most),
            };
            let read = read_body(&HeaderMap::new(), Body::new(long), 8 * CHUNK).await;
            assert_eq!(
                read.map(|body| body.len()).ok(),
                whole.then_some(chunks * CHUNK),
                "{chunks}"
            );
            assert!(most.load(Relaxed) <= 1, "{chunks}: {most:?} at once");
        }
    }
}
