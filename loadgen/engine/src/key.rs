//! Object keys and prefixes: templates with places for the index and for its group.

use crate::fault::Fault;
use crate::objects::Objects;
use crate::scenario::wrong;

const KEY_BYTES_MAX: usize = 1024;
/// What a field renders at most.
const NUMBER_BYTES_MAX: usize = 20;

/// `objects.key`, or a list's `prefix`, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    parts: Vec<Part>,
    group: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Zero-padded to a width.
    Index(usize),
    Group(usize),
}

impl Key {
    /// The key of a scenario's objects: one `{index}` or `{index:08d}`, and perhaps one `{group}`.
    ///
    /// # Errors
    /// When it has not, when a byte would need escaping in a URL, or nobody says what a group is.
    pub fn of_object(objects: &Objects) -> Result<Self, Fault> {
        let expected = "one {index} or {index:08d}, and {group} only with objects.group, \
                        among unreserved URL characters";
        let key = Self::parse(&objects.key, objects.group.unwrap_or(0));
        let whole = |key: &Self| key.count(|part| matches!(part, Part::Index(_))) == 1;
        key.filter(whole)
            .filter(|key| objects.group.is_some() || !key.has_group())
            .ok_or_else(|| wrong("objects.key", "bad template", expected, &objects.key))
    }

    /// The prefix of a list, as it stands in a query: with `{group}` or without.
    ///
    /// # Errors
    /// When it has an index, or as a key.
    pub fn of_prefix(place: &str, template: &str, objects: &Objects) -> Result<Self, Fault> {
        let expected = "unreserved URL characters, and {group} only with objects.group";
        let key = Self::parse(template, objects.group.unwrap_or(0));
        let mut key = key
            .filter(|key| key.count(|part| matches!(part, Part::Index(_))) == 0)
            .filter(|key| !key.parts.is_empty())
            .filter(|key| objects.group.is_some() || !key.has_group())
            .ok_or_else(|| wrong(place, "bad template", expected, template))?;
        for part in &mut key.parts {
            if let Part::Text(text) = part {
                *text = text.replace('/', "%2F"); // as signatures want a query
            }
        }
        Ok(key)
    }

    fn parse(template: &str, group: u64) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = template;
        while !rest.is_empty() {
            let (text, field) = rest.split_once('{').unwrap_or((rest, ""));
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
            if !text.chars().all(plain) {
                return None;
            }
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            if text.len() == rest.len() {
                break;
            }
            let (field, after) = field.split_once('}')?;
            let (name, format) = field.split_once(':').unwrap_or((field, ""));
            let width = width(format, field.contains(':'))?;
            parts.push(match name {
                "index" => Part::Index(width),
                "group" => Part::Group(width),
                _ => return None,
            });
            rest = after;
        }
        let key = Self { parts, group };
        let once = key.count(|part| matches!(part, Part::Group(_))) <= 1;
        (once && template.len() + 2 * NUMBER_BYTES_MAX <= KEY_BYTES_MAX).then_some(key)
    }

    fn count(&self, is: impl Fn(&Part) -> bool) -> usize {
        self.parts.iter().filter(|part| is(part)).count()
    }

    /// Whether neighbours share a part of it.
    #[must_use]
    pub fn has_group(&self) -> bool {
        self.count(|part| matches!(part, Part::Group(_))) > 0
    }

    /// Appends object `index`'s key, or its group's prefix, to `out`.
    pub fn render(&self, index: u64, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Index(width) => push_number(index, *width, out),
                Part::Group(width) => push_number(index / self.group.max(1), *width, out),
            }
        }
    }
}

/// Of `08d`; 0 where no format is given.
fn width(format: &str, given: bool) -> Option<usize> {
    if !given {
        return Some(0);
    }
    let digits = format.strip_prefix('0')?.strip_suffix('d')?;
    let width = digits.parse().ok().filter(|_| !digits.starts_with('0'))?;
    (1..=NUMBER_BYTES_MAX).contains(&width).then_some(width)
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

    fn objects(key: &str, group: Option<u64>) -> Objects {
        serde_json::from_value(
            serde_json::json!({"bucket": "bench", "count": 1, "size_bytes": 1,
            "key": key, "group": group}),
        )
        .unwrap()
    }

    fn text(key: &Key, index: u64) -> String {
        let mut out = Vec::new();
        key.render(index, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn rendered(template: &str, index: u64) -> String {
        text(&Key::of_object(&objects(template, None)).unwrap(), index)
    }

    #[test]
    fn keys_render_as_python_would() {
        assert_eq!(rendered("object-{index:08d}", 42), "object-00000042");
        assert_eq!(rendered("a/{index}.bin", 0), "a/0.bin");
        assert_eq!(rendered("{index:03d}", 123_456), "123456");
        assert_eq!(rendered("{index}", u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn neighbours_share_a_group_and_its_prefix() {
        let objects = objects("d/{group:03d}/{index}", Some(100));
        let key = Key::of_object(&objects).unwrap();
        assert_eq!(
            (text(&key, 199), text(&key, 200)),
            ("d/001/199".into(), "d/002/200".into())
        );
        let prefix = Key::of_prefix("p", "d/{group:03d}/", &objects).unwrap();
        assert_eq!(text(&prefix, 199), "d%2F001%2F");
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
            "{index:}",
            "{index:008d}",
            "a b{index}",
            "{index}{index}",
            "{group}{index}",
            "ü{index}",
        ] {
            let fault = Key::of_object(&objects(template, None)).unwrap_err();
            assert_eq!(fault.place, "scenario.objects.key", "{template}");
        }
        for template in ["", "{index}", "{group}", "a?b"] {
            let known = objects("{index}", None);
            let fault = Key::of_prefix("prefix", template, &known).unwrap_err();
            assert_eq!(fault.place, "scenario.prefix", "{template}");
        }
    }
}
