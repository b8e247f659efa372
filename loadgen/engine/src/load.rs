//! Which request each slot sends: drawn from a scenario's mix, one path, or each object in turn.

use crate::draw::{Popularity, Stream, Zipf};
use crate::scenario::{Operation, PopularityName, Scenario, Verb};

/// One request to send, and what its answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub verb: Verb,
    /// An index into the run's operations.
    pub operation: u8,
    pub index: u64,
    /// Of the object: where the asked bytes begin, and how many they are.
    pub offset: u64,
    pub length: u64,
    /// 0: any 2xx.
    pub status: u16,
    /// Whether the answer's length is known (it is not for a list or a path).
    pub sized: bool,
    /// Whether this answer's bytes are compared.
    pub compare: bool,
}

/// A thread's source of requests.
#[derive(Debug)]
pub enum Load {
    Mix(Box<Mix>),
    /// `target.path`.
    Path,
    Each(Each),
}

impl Load {
    /// The request of the thread's slot `number`.
    pub fn ask(&mut self, number: u64) -> Ask {
        match self {
            Self::Mix(mix) => mix.ask(),
            Self::Path => Ask {
                verb: Verb::Get,
                operation: 0,
                index: 0,
                offset: 0,
                length: 0,
                status: 200,
                sized: false,
                compare: false,
            },
            Self::Each(each) => each.ask(number),
        }
    }
}

/// Weighted operations on objects drawn by popularity.
#[derive(Debug)]
pub struct Mix {
    operations: Vec<Operation>,
    /// Sums of the weights up to and with each operation.
    reach: Vec<u64>,
    popularity: Popularity,
    size: u64,
    compare_one_in: u64,
    compared: u64,
    choices: Stream,
    objects: Stream,
}

impl Mix {
    /// Thread `lane`'s draws of the run with `seed`.
    #[must_use]
    pub fn new(scenario: &Scenario, seed: u64, lane: u64) -> Self {
        let mut sum = 0;
        let reach = scenario.operations.iter().map(|operation| {
            sum += u64::from(operation.weight);
            sum
        });
        let count = scenario.objects.count;
        let popularity = match (scenario.objects.popularity, scenario.objects.exponent) {
            (PopularityName::Zipf, Some(exponent)) => Popularity::Zipf(Zipf::new(count, exponent)),
            _ => Popularity::Uniform { count },
        };
        Self {
            reach: reach.collect(),
            operations: scenario.operations.clone(),
            popularity,
            size: scenario.objects.size_bytes,
            compare_one_in: scenario.check.digest_one_in,
            compared: 0,
            choices: Stream::new(seed, lane, 1),
            objects: Stream::new(seed, lane, 2),
        }
    }

    fn ask(&mut self) -> Ask {
        let draw = self.choices.below(self.reach.last().copied().unwrap_or(1));
        let chosen = self.reach.partition_point(|reach| *reach <= draw);
        let operation = &self.operations[chosen];
        let index = self.popularity.index(&mut self.objects);
        let length = operation.length_bytes.unwrap_or(self.size);
        let offset = self.objects.below(self.size - length + 1);
        let fetches = matches!(operation.name, Verb::Get | Verb::Range);
        Ask {
            verb: operation.name,
            operation: u8::try_from(chosen).unwrap_or(u8::MAX),
            index,
            offset,
            length,
            status: operation.status,
            sized: fetches || operation.name == Verb::Head,
            compare: fetches && self.compares(),
        }
    }

    fn compares(&mut self) -> bool {
        self.compared += 1;
        if self.compared == self.compare_one_in {
            self.compared = 0;
            return true;
        }
        false
    }
}

/// Each object of a list or of a stride once: `preload` and its sample.
#[derive(Debug)]
pub struct Each {
    pub verb: Verb,
    pub objects: Objects,
    pub size: u64,
}

#[derive(Debug)]
pub enum Objects {
    Stride { first: u64, step: u64 },
    List(Vec<u64>),
}

impl Each {
    /// The object of slot `number`.
    #[must_use]
    pub fn index(&self, number: u64) -> u64 {
        match &self.objects {
            Objects::Stride { first, step } => first + number * step,
            Objects::List(list) => usize::try_from(number).map_or(0, |at| list[at]),
        }
    }

    fn ask(&self, number: u64) -> Ask {
        Ask {
            verb: self.verb,
            operation: 0,
            index: self.index(number),
            offset: 0,
            length: self.size,
            status: 0,
            sized: self.verb == Verb::Get,
            compare: self.verb == Verb::Get,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "name": "s",
            "objects": {"bucket": "bench", "count": 10, "size_bytes": 100, "key": "o-{index}"},
            "operations": [{"name": "get", "weight": 90, "status": 200},
                           {"name": "put", "weight": 5, "status": 200},
                           {"name": "range", "weight": 5, "status": 206, "length_bytes": 10}],
            "check": {"digest_one_in": 10}}))
        .unwrap()
    }

    #[test]
    fn the_mix_follows_weights_and_compares_one_in_n() {
        let mut load = Load::Mix(Box::new(Mix::new(&scenario(), 1, 0)));
        let mut seen = [0_u32; 3];
        let (mut compared, mut fetched) = (0, 0);
        for number in 0..100_000 {
            let ask = load.ask(number);
            seen[usize::from(ask.operation)] += 1;
            compared += u32::from(ask.compare);
            fetched += u32::from(ask.verb != Verb::Put);
            assert!(ask.index < 10 && ask.offset + ask.length <= 100);
            assert_eq!(ask.sized, ask.verb != Verb::Put);
        }
        assert!((89_500..90_500).contains(&seen[0]) && (4_700..5_300).contains(&seen[1]));
        assert_eq!(compared, fetched / 10);
    }

    #[test]
    fn lanes_draw_differently_and_seeds_repeat() {
        let draw = |seed, lane| {
            let mut mix = Mix::new(&scenario(), seed, lane);
            (0..20).map(|_| mix.ask().index).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }

    #[test]
    fn strides_cover_every_object_once() {
        let each = |first| Each {
            verb: Verb::Put,
            objects: Objects::Stride { first, step: 3 },
            size: 1,
        };
        let mut all: Vec<u64> = (0..3)
            .flat_map(|lane| (0..4).map(move |n| each(lane).index(n)))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..12).collect::<Vec<_>>());
    }
}
