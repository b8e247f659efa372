//! HPACK: a decoder that keeps of each field only what a client needs, and literals to send.

use super::huffman;
use super::tables::STATIC;
use crate::parser::{decimal, Malformed, HEAD_BYTES_MAX};
use std::collections::VecDeque;

/// The table that a server may use: the default, since our settings name no other.
const TABLE_BYTES_MAX: usize = 4096;
/// RFC 7541, 4.1: what an entry costs beside its octets.
const ENTRY_BYTES: usize = 32;
/// Enough for the names and values that are looked at.
const KEPT_BYTES: usize = 24;
const LITERAL: u8 = 0;
pub const PATH: u8 = 4;
pub const AUTHORITY: u8 = 1;
pub const CONTENT_LENGTH: u8 = 28;
pub const RANGE: u8 = 50;
pub const AUTHORIZATION: u8 = 23;
pub const METHOD: u8 = 2;
/// `:scheme: http` and `:method: GET` of the static table, whole.
pub const SCHEME_HTTP: u8 = 0x80 | 6;
pub const METHOD_GET: u8 = 0x80 | 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Status,
    ContentLength,
    /// Another name with a colon: a server must not send it.
    Pseudo,
    Other,
}

/// A field, without the octets that nobody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: Name,
    /// The value, if it is a decimal number.
    pub number: Option<u64>,
    /// As the table counts it.
    pub size: usize,
    name_bytes: usize,
}

/// A string: its length, and its beginning.
struct Text {
    length: usize,
    kept: [u8; KEPT_BYTES],
}

impl Text {
    fn of(bytes: &[u8]) -> Self {
        let mut text = Self {
            length: bytes.len(),
            kept: [0; KEPT_BYTES],
        };
        let size = bytes.len().min(KEPT_BYTES);
        text.kept[..size].copy_from_slice(&bytes[..size]);
        text
    }

    fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut text = Self::of(&[]);
        let good = huffman::decode(bytes, |byte| {
            if text.length < KEPT_BYTES {
                text.kept[text.length] = byte;
            }
            text.length += 1;
        });
        good.then_some(text)
    }

    fn bytes(&self) -> &[u8] {
        &self.kept[..self.length.min(KEPT_BYTES)]
    }

    fn name(&self) -> Name {
        match self.bytes() {
            b":status" => Name::Status,
            b"content-length" => Name::ContentLength,
            [b':', ..] => Name::Pseudo,
            _ => Name::Other,
        }
    }
}

fn field(name: Name, name_bytes: usize, value: &Text) -> Field {
    let short = value.length <= KEPT_BYTES;
    Field {
        name,
        number: short.then(|| decimal(value.bytes())).flatten(),
        size: name_bytes + value.length + ENTRY_BYTES,
        name_bytes,
    }
}

/// The state of one connection's answers.
#[derive(Debug)]
pub struct Decoder {
    /// The newest first.
    table: VecDeque<Field>,
    table_bytes: usize,
    limit_bytes: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            table_bytes: 0,
            limit_bytes: TABLE_BYTES_MAX,
        }
    }
}

impl Decoder {
    /// Decodes a whole header block.
    ///
    /// # Errors
    /// When it is not well formed, or says more than `HEAD_BYTES_MAX`.
    pub fn decode(
        &mut self,
        block: &[u8],
        mut sink: impl FnMut(Field) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut rest = block;
        let mut bytes = 0;
        while let Some(first) = rest.first() {
            let found = match first {
                0x80.. => self.at(integer(&mut rest, 7)?)?,
                0x40.. => {
                    let literal = self.literal(&mut rest, 6)?;
                    self.insert(literal);
                    literal
                }
                0x20.. if bytes == 0 => {
                    self.resize(integer(&mut rest, 5)?)?;
                    continue;
                }
                0x20.. => return Err(Malformed("a table's size behind fields")),
                _ => self.literal(&mut rest, 4)?,
            };
            bytes += found.size;
            if bytes > HEAD_BYTES_MAX {
                return Err(Malformed("head over the limit"));
            }
            sink(found)?;
        }
        Ok(())
    }

    fn at(&self, index: usize) -> Result<Field, Malformed> {
        let place = index.checked_sub(1).ok_or(Malformed("index 0"))?;
        if let Some((name, value)) = STATIC.get(place) {
            let kind = Text::of(name.as_bytes()).name();
            return Ok(field(kind, name.len(), &Text::of(value.as_bytes())));
        }
        let found = self.table.get(place - STATIC.len()).copied();
        found.ok_or(Malformed("an index that no table has"))
    }

    fn literal(&self, rest: &mut &[u8], bits: u32) -> Result<Field, Malformed> {
        let index = integer(rest, bits)?;
        let (name, name_bytes) = if index > 0 {
            let named = self.at(index)?;
            (named.name, named.name_bytes)
        } else {
            let text = string(rest)?;
            (text.name(), text.length)
        };
        Ok(field(name, name_bytes, &string(rest)?))
    }

    fn insert(&mut self, new: Field) {
        self.shrink(self.limit_bytes.saturating_sub(new.size));
        if new.size <= self.limit_bytes {
            self.table_bytes += new.size;
            self.table.push_front(new);
        }
    }

    fn resize(&mut self, bytes: usize) -> Result<(), Malformed> {
        if bytes > TABLE_BYTES_MAX {
            return Err(Malformed("a table beyond the settings"));
        }
        self.limit_bytes = bytes;
        self.shrink(bytes);
        Ok(())
    }

    fn shrink(&mut self, bytes: usize) {
        while self.table_bytes > bytes {
            let oldest = self.table.pop_back().map_or(0, |field| field.size);
            self.table_bytes -= oldest;
        }
    }
}

/// An integer with a prefix of so many bits (RFC 7541, 5.1).
fn integer(rest: &mut &[u8], bits: u32) -> Result<usize, Malformed> {
    let early = Malformed("a block that ends early");
    let (first, mut tail) = rest.split_first().ok_or(early)?;
    let mask = (1_usize << bits) - 1;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        for shift in [0, 7, 14, 21] {
            let (byte, after) = tail.split_first().ok_or(early)?;
            tail = after;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *rest = tail;
                return Ok(value);
            }
        }
        return Err(Malformed("an integer over the limit"));
    }
    *rest = tail;
    Ok(value)
}

fn string(rest: &mut &[u8]) -> Result<Text, Malformed> {
    let packed = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(rest, 7)?;
    let (bytes, tail) = rest
        .split_at_checked(length)
        .ok_or(Malformed("a block that ends early"))?;
    *rest = tail;
    if packed {
        return Text::unpack(bytes).ok_or(Malformed("bad Huffman code"));
    }
    Ok(Text::of(bytes))
}

/// Appends a literal that enters no table; `name` is an index of the static one.
pub fn push_literal(name: u8, value: &[u8], out: &mut Vec<u8>) {
    push_integer(LITERAL, 4, usize::from(name), out);
    push_integer(LITERAL, 7, value.len(), out);
    out.extend_from_slice(value);
}

/// Appends a literal with a name of its own, which enters no table either.
pub fn push_named(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    push_literal(0, name, out);
    push_integer(LITERAL, 7, value.len(), out);
    out.extend_from_slice(value);
}

fn push_integer(flags: u8, bits: u32, value: usize, out: &mut Vec<u8>) {
    let mask = (1_usize << bits) - 1;
    if value < mask {
        out.push(flags | u8::try_from(value).unwrap_or(0));
        return;
    }
    out.push(flags | u8::try_from(mask).unwrap_or(0));
    let mut left = value - mask;
    while left >= 0x80 {
        out.push(u8::try_from(left & 0x7f).unwrap_or(0) | 0x80);
        left >>= 7;
    }
    out.push(u8::try_from(left).unwrap_or(0));
}

#[cfg(test)]
#[path = "hpack_tests.rs"]
mod tests;
