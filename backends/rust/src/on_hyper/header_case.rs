//! Header names as the contract writes them, which hyper knows only from messages that it has read.
//!
//! hyper writes names in lower case, or title-cased one and all (`Etag`, `X-Amz-Meta-A`). With
//! `preserve_header_case` it also remembers the spelling of a message that it parsed, in a type of
//! its own that travels in `Extensions`, and writes an answer that carries it in that spelling;
//! names that it does not hold stay in lower case. So one request that holds every name is parsed
//! at start-up, from memory, and its spelling is handed to every answer. hyper drops what it is
//! handed, and a copy is made name by name: most answers get one that holds fewer.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::http::Extensions;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

/// Every name that is not in lower case of an answer with an object whose headers are usual.
const USUAL: &[u8] = b"GET / HTTP/1.1\r\nDate: \r\nServer: \r\nETag: \r\nLast-Modified: \r\n\
    Accept-Ranges: \r\nContent-Type: \r\nContent-Length: 0\r\n\r\n";
/// Every name of the contract that is not in lower case.
const ALL: &[u8] = b"GET / HTTP/1.1\r\nDate: \r\nServer: \r\nETag: \r\nLast-Modified: \r\n\
    Accept-Ranges: \r\nContent-Type: \r\nCache-Control: \r\nContent-Disposition: \r\n\
    Content-Encoding: \r\nContent-Language: \r\nExpires: \r\nContent-Range: \r\n\
    Location: \r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// The extensions that every answer takes a copy of.
#[derive(Debug)]
pub struct Spelling {
    pub usual: Extensions,
    pub all: Extensions,
}

/// Parses both spellings once.
pub async fn learn() -> Spelling {
    Spelling { usual: learn_from(USUAL).await, all: learn_from(ALL).await }
}

async fn learn_from(unread: &'static [u8]) -> Extensions {
    let learnt = RefCell::new(Extensions::new());
    let service = service_fn(|request: Request<Incoming>| {
        *learnt.borrow_mut() = request.extensions().clone();
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let connection = http1::Builder::new()
        .preserve_header_case(true)
        .header_read_timeout(None)
        .serve_connection(Script { unread }, service);
    // The script is a constant that a test has seen through; without it names are in lower case.
    let _ = connection.await;
    learnt.into_inner()
}

/// A connection whose client has said all it will say and does not listen.
struct Script {
    unread: &'static [u8],
}

impl Read for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let count = into.remaining().min(self.unread.len());
        let (now, later) = self.unread.split_at(count);
        into.put_slice(now);
        self.unread = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hyper_still_remembers_how_names_are_spelt() {
        let learnt = learn().await;
        assert!(!learnt.usual.is_empty() && !learnt.all.is_empty());
    }
}
