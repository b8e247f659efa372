//! The examples of RFC 7541, appendix C, and blocks that must be refused.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pairs = digits
        .chunks(2)
        .map(|two| std::str::from_utf8(two).unwrap());
    pairs
        .map(|two| u8::from_str_radix(two, 16).unwrap())
        .collect()
}

fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, Malformed> {
    let mut fields = Vec::new();
    decoder.decode(block, |field| {
        fields.push(field);
        Ok(())
    })?;
    Ok(fields)
}

/// Name, number and size of each field, and the table's size behind the block.
fn seen(decoder: &mut Decoder, text: &str) -> (Vec<(Name, Option<u64>, usize)>, usize) {
    let fields = decoded(decoder, &hex(text)).unwrap();
    let seen = fields.iter().map(|f| (f.name, f.number, f.size));
    (seen.collect(), decoder.table_bytes)
}

#[test]
fn integers_are_those_of_the_rfc() {
    for (bits, value, bytes) in [
        (5, 10, "0a"),
        (5, 1337, "1f9a0a"),
        (8, 42, "2a"),
        (7, 127, "7f00"),
    ] {
        let mut out = Vec::new();
        push_integer(0, bits, value, &mut out);
        assert_eq!(out, hex(bytes));
        assert_eq!(integer(&mut &out[..], bits), Ok(value));
    }
    assert!(integer(&mut &hex("1fffffffffff7f")[..], 5).is_err());
    assert!(integer(&mut &hex("1fff")[..], 5).is_err());
}

/// C.5: a table of 256 bytes, from which entries fall out.
#[test]
fn responses_without_huffman_are_those_of_the_rfc() {
    let mut decoder = Decoder::default();
    decoder.resize(256).unwrap();
    let first = "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a3231
        20474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d";
    let (fields, bytes) = seen(&mut decoder, first);
    assert_eq!(fields[0], (Name::Status, Some(302), 42));
    assert_eq!((fields.len(), bytes), (4, 222));
    let (fields, bytes) = seen(&mut decoder, "4803333037c1c0bf");
    assert_eq!(fields[0], (Name::Status, Some(307), 42));
    assert_eq!((fields.len(), bytes), (4, 222));
    let third = "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a697077
        38666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d33363030
        3b2076657273696f6e3d31";
    let (fields, bytes) = seen(&mut decoder, third);
    assert_eq!(fields[0], (Name::Status, Some(200), 42));
    assert_eq!((fields.len(), bytes), (6, 215));
}

/// C.6: the same answers, packed.
#[test]
fn responses_with_huffman_are_those_of_the_rfc() {
    let mut decoder = Decoder::default();
    decoder.resize(256).unwrap();
    let first = "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad17
        1863c78f0b97c8e9ae82ae43d3";
    let (fields, bytes) = seen(&mut decoder, first);
    assert_eq!(fields[0], (Name::Status, Some(302), 42));
    assert_eq!((fields.len(), bytes), (4, 222));
    let (fields, bytes) = seen(&mut decoder, "4883640effc1c0bf");
    assert_eq!(fields[0], (Name::Status, Some(307), 42));
    assert_eq!((fields.len(), bytes), (4, 222));
    let third = "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6
        c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007";
    let (fields, bytes) = seen(&mut decoder, third);
    assert_eq!(fields[0], (Name::Status, Some(200), 42));
    assert_eq!((fields.len(), bytes), (6, 215));
}

#[test]
fn lengths_are_read_from_every_representation() {
    let mut decoder = Decoder::default();
    // with a new name, with an indexed name (28) that enters the table, and that entry again
    let mut block = hex("000e");
    block.extend_from_slice(b"content-length\x03123");
    let fields = decoded(&mut decoder, &block).unwrap();
    assert_eq!(
        (fields[0].name, fields[0].number),
        (Name::ContentLength, Some(123))
    );
    let fields = decoded(&mut decoder, &hex("5c03313233be0f0d0131")).unwrap();
    let numbers: Vec<_> = fields.iter().map(|f| (f.name, f.number)).collect();
    let expected = [Some(123), Some(123), Some(1)].map(|number| (Name::ContentLength, number));
    assert_eq!(numbers, expected);
    let fields = decoded(&mut decoder, &hex("0f0d022b31")).unwrap();
    assert_eq!(fields[0].number, None, "+1 is no number");
}

#[test]
fn malformed_blocks_are_refused() {
    for block in [
        "80",
        "be",
        "ffffffff7f",
        "000561",
        "0f",
        "3fe21f",
        "8820",
        "00810000",
        "00ff",
    ] {
        assert!(
            decoded(&mut Decoder::default(), &hex(block)).is_err(),
            "{block}"
        );
    }
    assert!(
        decoded(&mut Decoder::default(), &hex("3fe11f")).is_ok(),
        "4096 is the limit"
    );
}

#[test]
fn a_block_that_unpacks_beyond_the_limit_is_refused() {
    let mut decoder = Decoder::default();
    let mut block = vec![0x40, 1, b'a'];
    push_integer(0, 7, 3000, &mut block);
    block.extend_from_slice(&[b'v'; 3000]);
    block.extend_from_slice(&[0xbe; 30]);
    assert_eq!(
        decoded(&mut decoder, &block),
        Err(Malformed("head over the limit"))
    );
}

#[test]
fn literals_that_are_sent_can_be_read() {
    let mut block = vec![METHOD_GET, SCHEME_HTTP];
    push_literal(PATH, b"/a", &mut block);
    push_literal(CONTENT_LENGTH, b"77", &mut block);
    let fields = decoded(&mut Decoder::default(), &block).unwrap();
    let sizes: Vec<usize> = fields
        .iter()
        .map(|field| field.size - ENTRY_BYTES)
        .collect();
    assert_eq!(sizes, [10, 11, 7, 16]);
    assert_eq!(fields[3].number, Some(77));
}
