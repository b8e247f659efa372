//! SHA-256 sized values in hexadecimal.

pub type Hex = [u8; 64];

/// Lower-case digits.
pub fn encode(bytes: &[u8; 32]) -> Hex {
    std::array::from_fn(|at| {
        let half = bytes[at / 2] >> (if at % 2 == 0 { 4 } else { 0 });
        b"0123456789abcdef"[usize::from(half & 15)]
    })
}

/// Digits of either case; `None` when they are not 64.
pub fn decode(text: &str) -> Option<[u8; 32]> {
    let digits: &Hex = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |place: usize| char::from(pair[place]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}
