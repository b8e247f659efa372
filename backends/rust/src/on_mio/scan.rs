//! Where a request's head ends, before anybody parses it: what parsers disagree on is refused here.

use memchr::{memchr, memchr_iter};

use crate::http::HEAD_BYTES_MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// More must come.
    Partial,
    /// Its length, with the empty line.
    Complete(usize),
    Bad,
    TooLarge,
}

/// Looks for the end of a head. Refuses a bare CR or LF, and folded lines.
pub fn scan(input: &[u8]) -> Scan {
    if input.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        return Scan::Bad; // no method begins like this
    }
    let seen = &input[..input.len().min(HEAD_BYTES_MAX)];
    let mut start = 0;
    for newline in memchr_iter(b'\n', seen) {
        let Some(line) = seen[start..newline].strip_suffix(b"\r") else { return Scan::Bad };
        if line.is_empty() {
            return Scan::Complete(newline + 1);
        }
        if memchr(b'\r', line).is_some() || (start > 0 && matches!(line[0], b' ' | b'\t')) {
            return Scan::Bad;
        }
        start = newline + 1;
    }
    let rest = &seen[start..];
    match memchr(b'\r', rest) {
        Some(at) if at + 1 < rest.len() => Scan::Bad,
        _ if input.len() >= HEAD_BYTES_MAX => Scan::TooLarge,
        _ => Scan::Partial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_empty_line() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut input = head.to_vec();
        input.extend_from_slice(b"\n more");
        assert_eq!(scan(&input), Scan::Complete(head.len()));
        for end in 0..head.len() {
            assert_eq!(scan(&head[..end]), Scan::Partial, "{end}");
        }
    }

    #[test]
    fn what_parsers_read_differently_is_refused() {
        for text in
            ["\x16\x03", "get", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nA: b\rc", "GET\r\n a"]
        {
            let text = format!("{text}\r\n\r\n");
            assert_eq!(scan(text.as_bytes()), Scan::Bad, "{text:?}");
        }
        assert_eq!(scan(&[b'A'; HEAD_BYTES_MAX]), Scan::TooLarge);
    }
}
