//! A request's parameters: what nginx passes to a responder, which is the method, the target as it
//! was sent, and each header; beside them the `CONTENT_LENGTH` that CGI asks for.

use crate::key::push_number;
use crate::load::Ask;
use crate::request::{method, Form};
use crate::scenario::Verb;
use crate::signing::Stamp;

/// Appends the parameters of a request: the same bytes on every connection. `text` is scratch.
pub fn push_fields(
    form: &Form,
    ask: &Ask,
    stamp: Option<&Stamp>,
    text: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    text.clear();
    form.target(ask, text);
    push_first(ask.verb, text, form.host(), stamp, out);
    text.clear();
    match ask.verb {
        Verb::Put => {
            push_number(ask.length, 0, text);
            push_length(text, out);
        }
        Verb::Range => {
            form.range(ask, text);
            push_pair(b"HTTP_RANGE", text, out);
        }
        _ => {}
    }
}

/// Appends the parameters of a request of the bucket itself.
pub fn push_fields_of_bucket(form: &Form, verb: Verb, stamp: Option<&Stamp>, out: &mut Vec<u8>) {
    push_first(verb, form.bucket(), form.host(), stamp, out);
    if verb == Verb::Put {
        push_length(b"0", out);
    }
}

fn push_first(verb: Verb, target: &[u8], host: &[u8], stamp: Option<&Stamp>, out: &mut Vec<u8>) {
    push_pair(b"REQUEST_METHOD", method(verb), out);
    push_pair(b"REQUEST_URI", target, out);
    push_pair(b"HTTP_HOST", host, out);
    if let Some(stamp) = stamp {
        push_pair(b"HTTP_X_AMZ_DATE", &stamp.date, out);
        let content = stamp.content.text();
        push_pair(b"HTTP_X_AMZ_CONTENT_SHA256", content, out);
        push_pair(b"HTTP_AUTHORIZATION", &stamp.authorization, out);
    }
}

fn push_length(digits: &[u8], out: &mut Vec<u8>) {
    push_pair(b"CONTENT_LENGTH", digits, out);
    push_pair(b"HTTP_CONTENT_LENGTH", digits, out);
}

/// Appends a name and its value.
pub fn push_pair(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    push_length_of(name, out);
    push_length_of(value, out);
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

/// One byte up to 127, else four with the first bit set.
fn push_length_of(bytes: &[u8], out: &mut Vec<u8>) {
    if let Ok(short @ 0..=127) = u8::try_from(bytes.len()) {
        out.push(short);
    } else {
        let long = u32::try_from(bytes.len()).unwrap_or(u32::MAX) | 1 << 31; // a plan is short
        out.extend_from_slice(&long.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_any_length_is_as_the_format_has_it() {
        let mut out = Vec::new();
        push_pair(b"A", &[b'x'; 127], &mut out);
        assert_eq!(out[..4], [1, 127, b'A', b'x']);
        out.clear();
        push_pair(b"A", &[b'x'; 128], &mut out);
        assert_eq!(out[..7], [1, 0x80, 0, 0, 128, b'A', b'x']);
        assert_eq!(out.len(), 6 + 128);
    }
}
