//! Objects that were replaced or deleted, whose memory the next ones take.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::BytesMut;

use crate::content::Content;
use crate::object::Object;

/// What a worker keeps beyond what is accounted: so many objects, and so many bytes of bodies.
const OBJECTS_MAX: usize = 64;
const BODY_BYTES_MAX: usize = 4 << 20;

/// Of one worker.
#[derive(Debug, Default)]
pub struct Spare(RefCell<Pile>);

#[derive(Debug, Default)]
struct Pile {
    /// With the size of each one's body.
    objects: Vec<(usize, Arc<Object>)>,
    body_bytes: usize,
}

/// An object that is being made: nobody else has it.
#[derive(Debug)]
pub struct Blank(Arc<Object>);

impl Spare {
    /// One that had a body of this size, if there is one.
    pub fn take(&self, body_bytes: usize) -> Blank {
        let mut pile = self.0.borrow_mut();
        let fitting = pile.objects.iter().rposition(|(bytes, _)| *bytes == body_bytes);
        let place = fitting.or(pile.objects.len().checked_sub(1));
        let Some(place) = place else { return Blank(Arc::new(Object::blank())) };
        let (bytes, object) = pile.objects.swap_remove(place);
        pile.body_bytes -= bytes;
        Blank(object)
    }

    /// Takes what is no longer stored, unless somebody still reads it.
    pub fn give(&self, mut object: Arc<Object>) {
        let mut pile = self.0.borrow_mut();
        let Some(own) = Arc::get_mut(&mut object) else { return };
        if pile.objects.len() == OBJECTS_MAX {
            return;
        }
        if own.body.len() > BODY_BYTES_MAX - pile.body_bytes || own.body.pieces().len() != 1 {
            own.body = Content::default();
        }
        let bytes = own.body.len();
        pile.body_bytes += bytes;
        pile.objects.push((bytes, object));
    }
}

impl Blank {
    pub fn object(&mut self) -> &mut Object {
        let object = Arc::make_mut(&mut self.0);
        object.ready.take(); // it tells of the object before
        object
    }

    /// Room for a body of exactly this size: that of the body before, if it had it too.
    pub fn buffer(&mut self, bytes: usize) -> BytesMut {
        let before = std::mem::take(&mut self.object().body).into_buffer();
        let fits = before.filter(|buffer| buffer.capacity() == bytes);
        fits.unwrap_or_else(|| BytesMut::with_capacity(bytes))
    }

    /// From now on it is not changed.
    pub fn done(self) -> Arc<Object> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn object(bytes: usize) -> Arc<Object> {
        let body = Bytes::from(vec![1; bytes]).into();
        Arc::new(Object { body, ..Object::blank() })
    }

    #[test]
    fn a_body_of_the_same_size_takes_the_same_memory() {
        let spare = Spare::default();
        let (one, other) = (object(100), object(200));
        let place = one.body.piece_at(0).as_ptr();
        spare.give(one);
        spare.give(other);
        let mut blank = spare.take(100);
        let buffer = blank.buffer(100);
        assert_eq!((buffer.as_ptr(), buffer.len(), buffer.capacity()), (place, 0, 100));
        assert_eq!(spare.take(100).buffer(100).capacity(), 100);
    }

    #[test]
    fn what_is_read_is_left_alone_and_what_is_kept_is_bounded() {
        let spare = Spare::default();
        let read = object(100);
        spare.give(read.clone());
        assert!(spare.0.borrow().objects.is_empty());
        let copy = read.body.clone();
        spare.give(read);
        let mut buffer = spare.take(100).buffer(100);
        buffer.extend_from_slice(&[2; 100]);
        assert_eq!(copy.piece_at(0), [1; 100]);
        for _ in 0..100 {
            spare.give(object(1 << 20));
        }
        let pile = spare.0.borrow();
        assert_eq!((pile.objects.len(), pile.body_bytes), (OBJECTS_MAX, BODY_BYTES_MAX));
    }
}
