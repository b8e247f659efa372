//! Reads XML that a client sent: its elements, each as it ends.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

use super::failure::{self, Failure};

/// Calls `end_element` with the local names from the root to the element that ends, and its text.
///
/// # Errors
///
/// The document is not well formed, or has not one root, or `end_element` says so.
pub fn read(
    text: &str,
    mut end_element: impl FnMut(&[&[u8]], &str) -> Result<(), &'static Failure>,
) -> Result<(), &'static Failure> {
    let malformed = || &failure::MALFORMED_XML;
    let mut end = |path: &[Vec<u8>], value: &str| {
        let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
        end_element(&path, value)
    };
    let mut reader = Reader::from_str(text);
    let mut path: Vec<Vec<u8>> = Vec::new();
    let mut value = String::new();
    let mut roots = 0;
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(tag) => {
                roots += usize::from(path.is_empty());
                path.push(tag.local_name().as_ref().to_vec());
                value.clear();
            }
            Event::Empty(tag) => {
                roots += usize::from(path.is_empty());
                path.push(tag.local_name().as_ref().to_vec());
                end(&path, "")?;
                path.pop();
            }
            Event::Text(part) => {
                let part = part.decode().map_err(|_| malformed())?;
                if path.is_empty() && !part.trim().is_empty() {
                    return Err(malformed());
                }
                value.push_str(&part);
            }
            Event::CData(part) => value.push_str(&part.decode().map_err(|_| malformed())?),
            Event::GeneralRef(reference) => push_reference(&mut value, &reference)?,
            Event::End(_) => {
                end(&path, &value)?;
                path.pop();
                value.clear();
            }
            Event::Eof if path.is_empty() && roots == 1 => return Ok(()),
            Event::Eof | Event::DocType(_) => return Err(malformed()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

fn push_reference(value: &mut String, reference: &BytesRef<'_>) -> Result<(), &'static Failure> {
    let malformed = || &failure::MALFORMED_XML;
    if let Some(character) = reference.resolve_char_ref().map_err(|_| malformed())? {
        value.push(character);
        return Ok(());
    }
    let name = reference.decode().map_err(|_| malformed())?;
    value.push_str(resolve_predefined_entity(&name).ok_or_else(malformed)?);
    Ok(())
}
