//! How far the answer to an operator or a client is: asked for, handed over to be written, written.
//!
//! A connection that is closed for the sake of another must have nothing of an operator's on it, and an answer may be the
//! only one that has the text of an API key. It is handed over whole, and what writes it takes it before it is written; so
//! the connection itself is watched, and the answer is gone when nothing is left to be flushed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const IDLE: u8 = 0;
const ASKED: u8 = 1;
const HANDED_OVER: u8 = 2;

/// What there is of an operator's on a connection. HTTP/1.1 has one request after the other.
#[derive(Debug, Clone, Default)]
pub(in crate::control) struct Progress(Arc<AtomicU8>);

/// An operator's request, until its answer is handed over; dropping it is that.
#[derive(Debug)]
pub(in crate::control) struct Busy(Progress);

/// A connection that tells when everything is written.
pub(super) struct Watched<S> {
    stream: S,
    progress: Progress,
}

// === impl Progress ===

impl Progress {
    /// An operator's request has come.
    pub(in crate::control) fn begin(&self) -> Busy {
        self.0.store(ASKED, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Whether an operator waits for something on this connection.
    pub(super) fn is_busy(&self) -> bool {
        self.0.load(Ordering::Relaxed) != IDLE
    }

    fn flushed(&self) {
        let _ = self
            .0
            .compare_exchange(HANDED_OVER, IDLE, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.store(HANDED_OVER, Ordering::Relaxed);
    }
}

// === impl Watched ===

impl<S> Watched<S> {
    pub(super) const fn new(stream: S, progress: Progress) -> Self {
        Self { stream, progress }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// What is served here is flushed only when all of it has been given to the stream.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.progress.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
