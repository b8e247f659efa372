//! Requests of the slots to come, signed and rendered before they are due, so that no signature
//! lies in a measured time.

use crate::body;
use crate::calendar;
use crate::fcgi;
use crate::h2;
use crate::load::{Ask, Load};
use crate::plan::{Plan, Spoken};
use crate::request::Form;
use crate::scenario::Verb;
use crate::schedule::Schedule;
use crate::signing::{Content, Payload, Signer};
use crate::worker::SECOND_NS;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// How many slots ahead at most: what a thread that has no time to sleep lives on for a while.
const SLOTS_MAX: usize = 512;
/// Slots later than this are not prepared yet: a date is part of what is signed.
const HORIZON_NS: u64 = 10 * SECOND_NS;
/// A signature older than this is made again; servers refuse what is 15 minutes off.
const STALE_NS: u64 = 240 * SECOND_NS;
/// How much of a body is hashed before somebody looks whether anything is due.
const PIECE_BYTES: u64 = 4 << 10;

/// Where a thread's requests come from.
#[derive(Debug)]
pub struct Asks {
    pub form: Form,
    pub load: Load,
    /// Where requests are signed: every slot is asked for here then.
    pub ahead: Option<Box<Ahead>>,
}

impl Asks {
    /// Signed as the plan says.
    #[must_use]
    pub fn new(plan: &Plan, load: Load) -> Self {
        let form = Form::new(plan);
        let signer = plan.target.signer(form.host());
        let ahead = signer.map(|signer| Ahead::new(signer, form.clone(), plan.spoken()));
        Self {
            ahead: ahead.map(Box::new),
            form,
            load,
        }
    }
}

/// A slot's request, ready to be sent.
#[derive(Debug)]
pub struct Ready {
    pub ask: Ask,
    /// HTTP/1.1's head, HTTP/2's fields, or FastCGI's parameters.
    pub head: Vec<u8>,
    /// Whether it was not signed when its time had come.
    pub late: bool,
    content: Content,
    signed_ns: u64,
}

/// A body that is hashed in pieces.
#[derive(Debug)]
struct Hashing {
    ask: Ask,
    hash: Sha256,
    offset: u64,
    size: u64,
}

/// A thread's requests ahead of their slots.
#[derive(Debug)]
pub struct Ahead {
    signer: Signer,
    form: Form,
    spoken: Spoken,
    /// At the first slot that nothing was asked for.
    slots: Schedule,
    ready: VecDeque<Ready>,
    hashing: Option<Hashing>,
    /// Buffers of what was sent.
    spare: Vec<Vec<u8>>,
    text: Vec<u8>,
    piece: Vec<u8>,
}

impl Ahead {
    #[must_use]
    pub fn new(signer: Signer, form: Form, spoken: Spoken) -> Self {
        Self {
            signer,
            form,
            spoken,
            slots: Schedule::immediate(0, 0),
            ready: VecDeque::with_capacity(SLOTS_MAX),
            hashing: None,
            spare: Vec::new(),
            text: Vec::new(),
            piece: Vec::new(),
        }
    }

    /// Begins with a schedule; from here on every slot is taken here, in order.
    pub fn set_schedule(&mut self, schedule: &Schedule) {
        self.slots = schedule.clone();
    }

    /// Whether there is something to prepare.
    #[must_use]
    pub fn wants(&self, now_ns: u64) -> bool {
        let next = self.slots.next_ns();
        let near = next.is_some_and(|next_ns| next_ns < now_ns.saturating_add(HORIZON_NS));
        self.hashing.is_some() || (near && self.ready.len() < SLOTS_MAX)
    }

    /// One piece of work: a signature, or a part of a body's hash.
    pub fn step(&mut self, load: &mut Load, now_ns: u64) {
        let mut hashing = match self.hashing.take() {
            Some(hashing) => hashing,
            None => self.begin(load),
        };
        if self.hash_piece(&mut hashing) {
            self.hashing = Some(hashing);
            return;
        }
        let content = self.content(hashing.hash, &hashing.ask);
        let ready = self.sign(hashing.ask, content, now_ns);
        self.ready.push_back(ready);
    }

    /// The next slot's request, signed now if it was not before, or too long ago.
    pub fn take(&mut self, load: &mut Load, now_ns: u64) -> Ready {
        let late = self.ready.is_empty();
        while self.ready.is_empty() {
            self.step(load, now_ns);
        }
        let Some(ready) = self.ready.pop_front() else {
            unreachable!("a step that leaves no hash behind leaves a request");
        };
        if now_ns.saturating_sub(ready.signed_ns) < STALE_NS {
            return Ready { late, ..ready };
        }
        let again = self.sign(ready.ask, ready.content, now_ns);
        self.give_back(ready.head);
        Ready {
            late: true,
            ..again
        }
    }

    /// What the next slot asks, for one that is never sent.
    pub fn skip(&mut self, load: &mut Load) -> Ask {
        if let Some(ready) = self.ready.pop_front() {
            self.give_back(ready.head);
            return ready.ask;
        }
        match self.hashing.take() {
            Some(hashing) => hashing.ask,
            None => self.begin(load).ask,
        }
    }

    /// Takes a buffer back.
    pub fn give_back(&mut self, mut head: Vec<u8>) {
        head.clear();
        self.spare.push(head);
    }

    fn begin(&mut self, load: &mut Load) -> Hashing {
        let ask = load.ask(self.slots.number());
        self.slots.advance();
        let hashed = self.signer.payload == Payload::Hex && ask.verb == Verb::Put;
        Hashing {
            hash: Sha256::new(),
            offset: 0,
            size: if hashed { ask.length } else { 0 },
            ask,
        }
    }

    /// Whether there is more to hash than this piece.
    fn hash_piece(&mut self, hashing: &mut Hashing) -> bool {
        let take = (hashing.size - hashing.offset).min(PIECE_BYTES);
        self.piece.resize(usize::try_from(take).unwrap_or(0), 0);
        body::fill(hashing.ask.index, hashing.offset, &mut self.piece);
        hashing.hash.update(&self.piece);
        hashing.offset += take;
        hashing.offset < hashing.size
    }

    fn content(&self, hash: Sha256, ask: &Ask) -> Content {
        if self.signer.payload == Payload::Hex && ask.verb == Verb::Put {
            return Content::of(hash);
        }
        self.signer.bodiless()
    }

    fn sign(&mut self, ask: Ask, content: Content, now_ns: u64) -> Ready {
        let mut text = std::mem::take(&mut self.text);
        let mut head = self.spare.pop().unwrap_or_default();
        text.clear();
        self.form.target(&ask, &mut text);
        let request = self.form.signed(&ask, content, &text);
        let stamp = Some(self.signer.stamp(&request, calendar::now_s()));
        let form = &self.form;
        match self.spoken {
            Spoken::Http1 => form.head(&ask, stamp, &mut head),
            Spoken::Http2 => h2::push_fields(form, &ask, stamp, &mut text, &mut head),
            Spoken::FastCgi => fcgi::push_fields(form, &ask, stamp, &mut text, &mut head),
        }
        self.text = text;
        Ready {
            ask,
            head,
            late: false,
            content,
            signed_ns: now_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Lane, Mix};
    use crate::profile::{Profile, Stretch};

    fn plan(payload: &str, size: u64) -> Plan {
        let plan = serde_json::json!({"schema": 1,
            "target": {"address": "127.0.0.1", "port": 9000, "payload": payload,
                "credentials": {"access_key": "A", "secret_key": "S"}},
            "scenario": {"schema": 1, "name": "s",
                "objects": {"bucket": "bench", "count": 9, "size_bytes": size, "key": "o-{index}"},
                "operations": [{"name": "put", "weight": 1, "status": 200},
                    {"name": "list", "weight": 1, "status": 200}],
                "check": {"digest_one_in": 0}},
            "rate_rps": 10, "warmup_s": 0, "duration_s": 1, "connections": 1, "seed": 1});
        Plan::parse(&plan.to_string()).unwrap()
    }

    /// A signer of 1,000 slots, ten a second from second 1 on, and what they ask.
    fn ahead(plan: &Plan) -> (Ahead, Load) {
        let form = Form::new(plan);
        let signer = plan.target.signer(form.host()).unwrap();
        let mut ahead = Ahead::new(signer, form, Spoken::Http1);
        let stretch = Stretch {
            end_ns: 101 * SECOND_NS,
            from_rps: 10.0,
            to_rps: 10.0,
        };
        let schedule = Schedule::uniform(Profile::new(SECOND_NS, &[stretch]), 0, 1);
        ahead.set_schedule(&schedule);
        let lane = Lane {
            seed: 0,
            number: 0,
            of: 1,
        };
        let mix = Mix::new(plan.scenario.as_ref().unwrap(), 1, lane);
        (ahead, Load::Mix(Box::new(mix)))
    }

    #[test]
    fn the_slots_ask_what_they_would_have_asked() {
        let plan = plan("unsigned", 1);
        let (mut ahead, mut load) = ahead(&plan);
        let (_, mut unsigned) = self::ahead(&plan);
        for round in 0..60 {
            if round % 3 == 0 {
                ahead.step(&mut load, 0);
                ahead.step(&mut load, 0);
            }
            let asked = if round % 4 == 1 {
                ahead.skip(&mut load)
            } else {
                ahead.take(&mut load, 0).ask
            };
            assert_eq!(asked, unsigned.ask(round), "round {round}");
        }
    }

    #[test]
    fn it_stops_at_the_horizon_and_knows_who_was_late() {
        let (mut ahead, mut load) = ahead(&plan("unsigned", 1));
        assert!(ahead.take(&mut load, 0).late);
        let mut prepared = 0;
        while ahead.wants(0) {
            ahead.step(&mut load, 0);
            prepared += 1;
        }
        assert_eq!(prepared, 89, "9 s of 10 a second, one of them taken");
        while ahead.wants(100 * SECOND_NS) {
            ahead.step(&mut load, 0);
            prepared += 1;
        }
        assert_eq!(prepared, SLOTS_MAX);
        let ready = ahead.take(&mut load, STALE_NS - 1);
        assert!(!ready.late);
        ahead.give_back(ready.head);
        let again = ahead.take(&mut load, STALE_NS);
        assert!(again.late && again.signed_ns == STALE_NS);
    }

    #[test]
    fn a_large_body_is_hashed_in_pieces_to_its_digest() {
        let size = 3 * PIECE_BYTES + 5;
        let (mut ahead, mut load) = ahead(&plan("hex", size));
        let ready = loop {
            let ready = ahead.take(&mut load, 0);
            if ready.ask.verb == Verb::Put {
                break ready;
            }
            let head = String::from_utf8(ready.head).unwrap();
            let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
            assert!(head.contains(&format!("x-amz-content-sha256: {empty}\r\n")));
        };
        let mut body = vec![0; usize::try_from(size).unwrap()];
        body::fill(ready.ask.index, 0, &mut body);
        let digest = Content::of(Sha256::new_with_prefix(&body));
        assert_eq!(ready.content, digest);
        let mut steps = 0;
        while ahead.ready.iter().all(|one| one.ask.verb != Verb::Put) {
            ahead.step(&mut load, 0);
            steps += usize::from(ahead.hashing.is_some());
        }
        assert_eq!(steps, 3, "the last piece ends with the signature");
    }
}
