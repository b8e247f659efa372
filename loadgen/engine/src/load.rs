//! Which request each slot sends: drawn from a scenario's mix, one path, or each object in turn.

use crate::churn::Churn;
use crate::draw::{Popularity, Scatter, Stream, Zipf};
use crate::objects::PopularityName;
use crate::scenario::{Operation, Scenario, Verb};
use crate::size::Sizes;

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

/// Which of the run's threads this is, over all processes.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Tells its random streams from those of the others.
    pub seed: u64,
    pub number: u64,
    pub of: u64,
}

/// Weighted operations on objects drawn by popularity.
#[derive(Debug)]
pub struct Mix {
    operations: Vec<Operation>,
    /// Sums of the weights up to and with each operation.
    reach: Vec<u64>,
    /// Of what is read, and of what is written.
    read: Popularity,
    written: Popularity,
    /// What DELETE takes and PUT brings back, where the scenario has it.
    churn: Option<Churn>,
    sizes: Sizes,
    compare_one_in: u64,
    compared: u64,
    choices: Stream,
    objects: Stream,
}

impl Mix {
    /// A thread's draws of the run with `seed`.
    #[must_use]
    pub fn new(scenario: &Scenario, seed: u64, lane: Lane) -> Self {
        let mut sum = 0;
        let reach = scenario.operations.iter().map(|operation| {
            sum += u64::from(operation.weight);
            sum
        });
        let objects = &scenario.objects;
        let popularity = |count: u64| match (objects.popularity, objects.exponent) {
            (PopularityName::Zipf, Some(exponent)) => {
                Popularity::Zipf(Zipf::new(count, exponent), Scatter::new(count))
            }
            _ => Popularity::Uniform { count },
        };
        let slots = objects.churn;
        let churn = || Churn::new(objects.count, slots, lane.number, lane.of);
        Self {
            reach: reach.collect(),
            operations: scenario.operations.clone(),
            read: popularity(scenario.readable().max(1)),
            written: popularity(objects.count),
            churn: (slots > 0).then(churn),
            sizes: objects.sizes(),
            compare_one_in: scenario.check.digest_one_in,
            compared: 0,
            choices: Stream::new(seed, lane.seed, 1),
            objects: Stream::new(seed, lane.seed, 2),
        }
    }

    fn ask(&mut self) -> Ask {
        let draw = self.choices.below(self.reach.last().copied().unwrap_or(1));
        let chosen = self.reach.partition_point(|reach| *reach <= draw);
        let verb = self.operations[chosen].name;
        let index = self.index(verb);
        let operation = &self.operations[chosen];
        let size = self.sizes.of(index);
        // A range is never longer than its object.
        let length = operation.length_bytes.unwrap_or(size).min(size);
        let offset = self.objects.below(size - length + 1);
        let fetches = matches!(verb, Verb::Get | Verb::Range);
        Ask {
            verb,
            operation: u8::try_from(chosen).unwrap_or(u8::MAX),
            index,
            offset,
            length,
            status: operation.status,
            sized: verb.reads(),
            compare: fetches && self.compares(),
        }
    }

    fn index(&mut self, verb: Verb) -> u64 {
        let of_churn = match (verb, &mut self.churn) {
            (Verb::Delete, Some(churn)) => Some(churn.take()),
            (Verb::Put, Some(churn)) => churn.bring(),
            _ => None,
        };
        of_churn.unwrap_or_else(|| {
            let popularity = if matches!(verb, Verb::Put | Verb::Delete) {
                &self.written
            } else {
                &self.read
            };
            popularity.index(&mut self.objects)
        })
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
    pub sizes: Sizes,
}

#[derive(Debug)]
pub enum Objects {
    /// Every `step`-th of what the scenario preloads.
    Stride {
        first: u64,
        step: u64,
        scenario: Box<Scenario>,
    },
    List(Vec<u64>),
}

impl Each {
    /// The object of slot `number`.
    #[must_use]
    pub fn index(&self, number: u64) -> u64 {
        match &self.objects {
            Objects::Stride {
                first,
                step,
                scenario,
            } => scenario.preloaded_index(first + number * step),
            Objects::List(list) => usize::try_from(number).map_or(0, |at| list[at]),
        }
    }

    fn ask(&self, number: u64) -> Ask {
        let index = self.index(number);
        Ask {
            verb: self.verb,
            operation: 0,
            index,
            offset: 0,
            length: self.sizes.of(index),
            status: 0,
            sized: self.verb == Verb::Get,
            compare: self.verb == Verb::Get,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(objects: &serde_json::Value) -> Scenario {
        let scenario: Scenario = serde_json::from_value(serde_json::json!({
            "schema": 1, "name": "s", "objects": objects,
            "operations": [{"name": "get", "weight": 80, "status": 200},
                           {"name": "put", "weight": 10, "status": 200},
                           {"name": "range", "weight": 5, "status": 206, "length_bytes": 10},
                           {"name": "delete", "weight": 5, "status": 204}],
            "preload": {"count": 8},
            "check": {"digest_one_in": 10}}))
        .unwrap();
        scenario.validate().unwrap();
        scenario
    }

    fn fixed() -> Scenario {
        scenario(
            &serde_json::json!({"bucket": "bench", "count": 10, "size_bytes": 100,
            "key": "o-{index}", "churn": 8}),
        )
    }

    const LANE: Lane = Lane {
        seed: 0,
        number: 0,
        of: 1,
    };

    #[test]
    fn the_mix_follows_weights_and_compares_one_in_n() {
        let mut load = Load::Mix(Box::new(Mix::new(&fixed(), 1, LANE)));
        let mut seen = [0_u32; 4];
        let (mut compared, mut fetched) = (0, 0);
        for number in 0..100_000 {
            let ask = load.ask(number);
            seen[usize::from(ask.operation)] += 1;
            compared += u32::from(ask.compare);
            fetched += u32::from(ask.sized);
            assert!(ask.offset + ask.length <= 100);
            assert_eq!(ask.sized, ask.verb.reads());
            match ask.verb {
                Verb::Delete => assert!((10..18).contains(&ask.index)),
                Verb::Put => assert!(ask.index < 18),
                _ => assert!(ask.index < 8, "only what was preloaded is read"),
            }
        }
        assert!((79_500..80_500).contains(&seen[0]) && (4_700..5_300).contains(&seen[2]));
        assert_eq!(compared, fetched / 10);
    }

    #[test]
    fn puts_bring_back_what_deletes_took() {
        let mut mix = Mix::new(&fixed(), 1, LANE);
        let (mut taken, mut brought) = (0_i32, 0_i32);
        for _ in 0..100_000 {
            let ask = mix.ask();
            taken += i32::from(ask.verb == Verb::Delete);
            brought += i32::from(ask.verb == Verb::Put && ask.index >= 10);
        }
        // Twice as many puts as deletes: half of them write over what is there.
        assert!(
            (4_700..5_300).contains(&taken) && (taken - brought) < 20,
            "{taken} {brought}"
        );
    }

    #[test]
    fn a_range_ends_with_its_object_and_every_ask_knows_the_size() {
        let rows = serde_json::json!({"distribution": "table", "rows": [[4, 1], [100, 1]]});
        let scenario = scenario(
            &serde_json::json!({"bucket": "bench", "count": 50, "size": rows,
            "key": "o-{index}", "churn": 8, "popularity": "zipf", "exponent": 1.0}),
        );
        let mut mix = Mix::new(&scenario, 1, LANE);
        let sizes = scenario.objects.sizes();
        let mut whole = 0;
        for ask in (0..20_000).map(|_| mix.ask()) {
            let size = sizes.of(ask.index);
            let length = if ask.verb == Verb::Range {
                size.min(10)
            } else {
                size
            };
            assert_eq!(ask.length, length);
            assert!(ask.offset + ask.length <= size);
            whole += u32::from(ask.verb == Verb::Range && size == 4);
        }
        assert!(whole > 0);
    }

    #[test]
    fn lanes_draw_differently_and_seeds_repeat() {
        let draw = |seed, lane| {
            let lane = Lane { seed: lane, ..LANE };
            let mut mix = Mix::new(&fixed(), seed, lane);
            (0..20).map(|_| mix.ask().index).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }

    #[test]
    fn strides_cover_every_preloaded_object_once() {
        let each = |first| Each {
            verb: Verb::Put,
            objects: Objects::Stride {
                first,
                step: 3,
                scenario: Box::new(fixed()),
            },
            sizes: Sizes::Fixed(1),
        };
        let mut all: Vec<u64> = (0..3)
            .flat_map(|lane| (0..4).map(move |n| each(lane).index(n)))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..8).chain(10..14).collect::<Vec<_>>());
    }
}
