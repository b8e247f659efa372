//! Who owes us bytes, the longest silent first: a list through the slots of the connections.

const NOWHERE: usize = usize::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: usize,
    next: usize,
    since_s: u64,
    is_linked: bool,
}

impl Link {
    const LOOSE: Self = Self { previous: NOWHERE, next: NOWHERE, since_s: 0, is_linked: false };
}

/// Costs the same however many connections there are.
#[derive(Debug)]
pub struct Timed {
    links: Vec<Link>,
    first: usize,
    last: usize,
}

impl Timed {
    pub fn new() -> Self {
        Self { links: Vec::new(), first: NOWHERE, last: NOWHERE }
    }

    pub fn is_empty(&self) -> bool {
        self.first == NOWHERE
    }

    /// The clock of a slot starts anew.
    pub fn restart(&mut self, slot: usize, now_s: u64) {
        self.end(slot);
        if slot >= self.links.len() {
            self.links.resize(slot + 1, Link::LOOSE);
        }
        let previous = self.last;
        self.links[slot] = Link { previous, next: NOWHERE, since_s: now_s, is_linked: true };
        match self.links.get_mut(previous) {
            Some(link) => link.next = slot,
            None => self.first = slot,
        }
        self.last = slot;
    }

    /// A slot owes nothing.
    pub fn end(&mut self, slot: usize) {
        let Some(link) = self.links.get_mut(slot).filter(|link| link.is_linked) else { return };
        let Link { previous, next, .. } = std::mem::replace(link, Link::LOOSE);
        match self.links.get_mut(previous) {
            Some(link) => link.next = next,
            None => self.first = next,
        }
        match self.links.get_mut(next) {
            Some(link) => link.previous = previous,
            None => self.last = previous,
        }
    }

    /// The slot that is silent the longest, or the one behind this, and since when.
    pub fn next(&self, behind: Option<usize>) -> Option<(usize, u64)> {
        let slot = behind.map_or(self.first, |slot| self.links[slot].next);
        self.links.get(slot).map(|link| (slot, link.since_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(timed: &Timed) -> Vec<usize> {
        let mut slots = Vec::new();
        while let Some((slot, _)) = timed.next(slots.last().copied()) {
            slots.push(slot);
        }
        slots
    }

    #[test]
    fn progress_goes_to_the_end() {
        let mut timed = Timed::new();
        for slot in [2, 0, 1] {
            timed.restart(slot, 10 - slot as u64);
        }
        assert_eq!((order(&timed), timed.next(None)), (vec![2, 0, 1], Some((2, 8))));
        timed.restart(0, 11);
        assert_eq!(order(&timed), [2, 1, 0]);
        timed.end(1);
        timed.end(1);
        timed.end(7);
        assert_eq!(order(&timed), [2, 0]);
        timed.end(0);
        timed.end(2);
        assert!(timed.is_empty() && order(&timed).is_empty());
    }
}
