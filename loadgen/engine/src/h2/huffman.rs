//! The Huffman code of HPACK, decoded four bits at a time.

use super::tables::HUFFMAN;
use std::sync::LazyLock;

const END: u16 = 256;
const NODES: usize = 256;

/// What four more bits lead to.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    node: u16,
    /// A byte, plus one; 0 is none. No code is shorter than five bits, so there is never a second.
    byte: u16,
    /// The code is none, or the end of a string, which must not be sent.
    bad: bool,
}

struct Machine {
    steps: Vec<[Step; 16]>,
    /// Whether a string may end at a node: after fewer than eight bits, all of them ones.
    ends: Vec<bool>,
}

static MACHINE: LazyLock<Machine> = LazyLock::new(Machine::build);

/// A node's two ways: another node, or a symbol behind `NODES`.
type Tree = Vec<[u16; 2]>;

fn tree() -> Tree {
    let mut tree: Tree = vec![[0; 2]];
    for (symbol, (code, length)) in (0_u16..).zip(HUFFMAN) {
        let mut node = 0;
        for bit in (1..length).rev() {
            let way = usize::from(code >> bit & 1 == 1);
            if tree[node][way] == 0 {
                tree[node][way] = u16::try_from(tree.len()).unwrap_or(0);
                tree.push([0; 2]);
            }
            node = usize::from(tree[node][way]);
        }
        tree[node][usize::from(code & 1 == 1)] = 256 + symbol;
    }
    tree
}

impl Machine {
    fn build() -> Self {
        let tree = tree();
        let steps = (0..NODES).map(|node| std::array::from_fn(|bits| walk(&tree, node, bits)));
        let mut ends = vec![false; NODES];
        let mut node = 0;
        for _ in 0..8 {
            ends[node] = true;
            node = usize::from(tree[node][1]);
        }
        Self {
            steps: steps.collect(),
            ends,
        }
    }
}

fn walk(tree: &Tree, mut node: usize, bits: usize) -> Step {
    let mut byte = 0;
    for bit in (0..4).rev() {
        let next = tree[node][bits >> bit & 1];
        if next < 256 {
            node = usize::from(next);
            continue;
        }
        if next == 256 + END {
            return Step {
                bad: true,
                ..Step::default()
            };
        }
        byte = next - 256 + 1;
        node = 0;
    }
    Step {
        node: u16::try_from(node).unwrap_or(0),
        byte,
        bad: false,
    }
}

/// Decodes a string byte by byte into `sink`; false when it is not well formed.
#[must_use]
pub fn decode(bytes: &[u8], mut sink: impl FnMut(u8)) -> bool {
    let machine = &*MACHINE;
    let mut node = 0;
    for byte in bytes {
        for bits in [byte >> 4, byte & 15] {
            let step = machine.steps[node][usize::from(bits)];
            if step.bad {
                return false;
            }
            if step.byte > 0 {
                sink(u8::try_from(step.byte - 1).unwrap_or(0));
            }
            node = usize::from(step.node);
        }
    }
    machine.ends[node]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(bytes, |byte| out.push(byte)).then_some(out)
    }

    fn encoded(text: &[u8]) -> Vec<u8> {
        let (mut bits, mut count, mut out) = (0_u64, 0_u32, Vec::new());
        for byte in text {
            let (code, length) = HUFFMAN[usize::from(*byte)];
            bits = bits << length | u64::from(code);
            count += u32::from(length);
            while count >= 8 {
                count -= 8;
                out.push(u8::try_from(bits >> count & 255).unwrap());
            }
        }
        if count > 0 {
            out.push(u8::try_from((bits << (8 - count) | (255 >> count)) & 255).unwrap());
        }
        out
    }

    #[test]
    fn the_examples_of_the_rfc_decode() {
        let authority = [
            0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
        ];
        assert_eq!(decoded(&authority).unwrap(), b"www.example.com");
        assert_eq!(decoded(&[0x64, 0x02]).unwrap(), b"302");
        assert_eq!(decoded(&[0x64, 0x0e, 0xff]).unwrap(), b"307");
        assert_eq!(decoded(&[]).unwrap(), b"");
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&encoded(&all)).unwrap(), all);
        for byte in all {
            assert_eq!(decoded(&encoded(&[byte])).unwrap(), [byte]);
        }
    }

    #[test]
    fn bad_padding_and_the_end_symbol_are_refused() {
        assert!(decoded(&[0x64]).is_none(), "zeros");
        assert!(decoded(&[0x64, 0x02, 0xff]).is_none(), "a byte of padding");
        assert!(decoded(&[0xff, 0xff, 0xff, 0xff]).is_none(), "the end");
    }
}
