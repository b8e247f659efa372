//! Object keys: a template with one place for the index.

use crate::fault::Fault;
use crate::scenario::wrong;

const KEY_BYTES_MAX: usize = 1024;

/// `objects.key` in parts: what stands before the index, its width, what stands after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    before: String,
    after: String,
    width: usize,
}

impl Key {
    /// Parses `text{index}text` or `text{index:08d}text`.
    ///
    /// # Errors
    /// When there is not exactly one place for the index, or a byte would need escaping in a URL.
    pub fn parse(template: &str) -> Result<Self, Fault> {
        let expected = "one {index} or {index:08d} among unreserved URL characters";
        let bad = || wrong("objects.key", "bad template", expected, template);
        let (before, rest) = template.split_once('{').ok_or_else(bad)?;
        let (field, after) = rest.split_once('}').ok_or_else(bad)?;
        let width = match field.strip_prefix("index").ok_or_else(bad)? {
            "" => 0,
            format => format
                .strip_prefix(":0")
                .and_then(|format| format.strip_suffix('d'))
                .and_then(|width| width.parse::<usize>().ok())
                .filter(|width| (1..=20).contains(width))
                .ok_or_else(bad)?,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        let length = before.len() + after.len() + width.max(20);
        if !before.chars().chain(after.chars()).all(plain) || length > KEY_BYTES_MAX {
            return Err(bad());
        }
        Ok(Self {
            before: before.to_owned(),
            after: after.to_owned(),
            width,
        })
    }

    /// Appends object `index`'s key to `out`.
    pub fn render(&self, index: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before.as_bytes());
        push_number(index, self.width, out);
        out.extend_from_slice(self.after.as_bytes());
    }
}

/// Appends a decimal number, zero-padded to `width`; no formatting machinery on the send path.
pub fn push_number(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b"0123456789"[usize::try_from(number % 10).unwrap_or(0)];
        number /= 10;
    }
    let at = at.min(digits.len() - width.min(digits.len()));
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str, index: u64) -> String {
        let mut out = Vec::new();
        Key::parse(template).unwrap().render(index, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_render_as_python_would() {
        assert_eq!(rendered("object-{index:08d}", 42), "object-00000042");
        assert_eq!(rendered("a/{index}.bin", 0), "a/0.bin");
        assert_eq!(rendered("{index:03d}", 123_456), "123456");
        assert_eq!(rendered("{index}", u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn bad_templates_are_refused_by_key() {
        for template in [
            "",
            "x",
            "{index",
            "{i}",
            "{index:8d}",
            "{index:099d}",
            "a b{index}",
            "{index}{index}",
            "ü{index}",
        ] {
            let fault = Key::parse(template).unwrap_err();
            assert_eq!(fault.place, "scenario.objects.key", "{template}");
        }
    }
}
