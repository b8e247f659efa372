//! The bytes of an object: a function of its index and of the offset alone, so that any answer can
//! be checked.

const WORD_BYTES: u64 = 8;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// `SplitMix64`'s finaliser: every input bit reaches every output bit.
#[must_use]
pub const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const fn word(base: u64, number: u64) -> u64 {
    mix(base.wrapping_add(number.wrapping_mul(GOLDEN)))
}

/// Writes the bytes of object `index` that begin at `offset` over all of `out`.
pub fn fill(index: u64, offset: u64, out: &mut [u8]) {
    let base = mix(index ^ GOLDEN);
    let mut number = offset / WORD_BYTES;
    let skip = usize::try_from(offset % WORD_BYTES).unwrap_or(0);
    let mut rest = out;
    if skip > 0 {
        let bytes = word(base, number).to_le_bytes();
        let take = rest.len().min(bytes.len() - skip);
        rest[..take].copy_from_slice(&bytes[skip..skip + take]);
        rest = &mut rest[take..];
        number += 1;
    }
    for chunk in rest.chunks_mut(8) {
        chunk.copy_from_slice(&word(base, number).to_le_bytes()[..chunk.len()]);
        number += 1;
    }
}

/// Whether `bytes` are those of object `index` at `offset`.
#[must_use]
pub fn matches(index: u64, offset: u64, bytes: &[u8]) -> bool {
    let mut expected = [0_u8; 4096];
    let mut at = offset;
    bytes.chunks(expected.len()).all(|chunk| {
        let expected = &mut expected[..chunk.len()];
        fill(index, at, expected);
        at += chunk.len() as u64;
        expected == chunk
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_equals_the_same_part_of_the_whole() {
        let mut whole = vec![0; 300];
        fill(7, 0, &mut whole);
        for start in 0..40 {
            for end in start..60 {
                let mut part = vec![0; end - start];
                fill(7, start as u64, &mut part);
                assert_eq!(part, whole[start..end], "{start}..{end}");
                assert!(matches(7, start as u64, &part));
            }
        }
    }

    #[test]
    fn another_index_or_a_changed_byte_does_not_match() {
        let mut bytes = vec![0; 10_000];
        fill(1, 0, &mut bytes);
        assert!(matches(1, 0, &bytes) && !matches(2, 0, &bytes) && !matches(1, 1, &bytes));
        bytes[9_999] ^= 1;
        assert!(!matches(1, 0, &bytes));
    }

    #[test]
    fn the_bytes_never_change_between_versions() {
        let mut bytes = [0; 8];
        fill(0, 0, &mut bytes);
        assert_eq!(u64::from_le_bytes(bytes), mix(mix(GOLDEN)));
    }
}
