//! The timers that end a thread's sleep, and how much too late its wake-ups come.

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{
    timerfd_create, timerfd_settime, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags,
    Timespec,
};

/// The events of the timers are numbered from here on; no connection has such a number.
const FIRST: u64 = u64::MAX - 1;
const SECOND_NS: u64 = 1_000_000_000;
/// The most that a sleep ends early, and what one wake-up moves the lead at most.
const LEAD_NS_MAX: u64 = 50_000;
const STEP_NS: u64 = 100;

/// Whether an event is a timer's.
#[must_use]
pub fn is_timer(token: u64) -> bool {
    token >= FIRST
}

/// What a sleep is ended by: one timer for the next moment, and one, set already, for the moment
/// after it. To set the timer that fires first of all has the processor's clock programmed, which
/// is what a sleep costs most in a virtual machine; to set a later one does not, and when the first
/// has fired the kernel programs the clock anyway.
///
/// They are set ahead of the moment that is wanted, by the lead: the lateness that nine of ten
/// wake-ups have. A virtual machine's timers are late by some tens of microseconds nearly always,
/// so setting them earlier by that costs nothing; after the one wake-up in ten that is not as late,
/// the thread looks again until the moment has come, at most the lead.
#[derive(Debug)]
pub struct Timers {
    pair: [Timer; 2],
    /// The number of the one that ends the next sleep.
    ends_next: usize,
    lead_ns: u64,
}

/// It says once that it fired, and is silent until it is set again.
#[derive(Debug)]
struct Timer {
    fd: OwnedFd,
    /// What it was asked for, until it has been seen to fire; it is set for the lead earlier.
    moment_ns: Option<u64>,
    armed_ns: u64,
}

impl Timer {
    fn watched(epoll: &OwnedFd, token: u64) -> Result<Self, Errno> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let token = epoll::EventData::new_u64(token);
        epoll::add(
            epoll,
            &fd,
            token,
            epoll::EventFlags::IN | epoll::EventFlags::ET,
        )?;
        Ok(Self {
            fd,
            moment_ns: None,
            armed_ns: 0,
        })
    }

    /// What it is set for, or for ever when for nothing.
    fn free_until_ns(&self) -> u64 {
        self.moment_ns.unwrap_or(u64::MAX)
    }

    fn set(&mut self, moment_ns: u64, lead_ns: u64) -> Result<(), Errno> {
        self.armed_ns = moment_ns.saturating_sub(lead_ns);
        self.moment_ns = Some(moment_ns);
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &once(self.armed_ns))?;
        Ok(())
    }
}

impl Timers {
    /// Timers in the set of what `epoll` waits for.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub fn watched(epoll: &OwnedFd) -> Result<Self, Errno> {
        let pair = [
            Timer::watched(epoll, FIRST)?,
            Timer::watched(epoll, FIRST + 1)?,
        ];
        Ok(Self {
            pair,
            ends_next: 0,
            lead_ns: 0,
        })
    }

    /// Whether `moment_ns` is too near to sleep for: not if a timer is on its way that was set for
    /// it in time.
    #[must_use]
    pub fn is_near(&self, moment_ns: u64, now_ns: u64) -> bool {
        let is_set = || {
            let mut pair = self.pair.iter();
            pair.any(|timer| timer.moment_ns == Some(moment_ns))
        };
        moment_ns <= now_ns || (moment_ns <= now_ns + self.lead_ns && !is_set())
    }

    /// Ends the next sleep at `moment_ns`, or a little before.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn arm(&mut self, moment_ns: u64) -> Result<(), Errno> {
        let [one, other] = [self.ends_next, 1 - self.ends_next].map(|number| &self.pair[number]);
        // The one that is set for this moment stays; else the one that is set for none, or later.
        let is_other = one.moment_ns != Some(moment_ns)
            && (other.moment_ns == Some(moment_ns) || other.free_until_ns() > one.free_until_ns());
        if is_other {
            self.ends_next = 1 - self.ends_next;
        }
        let timer = &mut self.pair[self.ends_next];
        if timer.moment_ns == Some(moment_ns) {
            return Ok(());
        }
        timer.set(moment_ns, self.lead_ns)
    }

    /// Whether the other timer is set for no moment after the one that ends the next sleep.
    #[must_use]
    pub fn is_one_free(&self) -> bool {
        let [one, other] =
            [self.ends_next, 1 - self.ends_next].map(|number| self.pair[number].moment_ns);
        other.is_none() || other < one
    }

    /// Sets the other timer for a moment after the one that ends the next sleep.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn arm_following(&mut self, moment_ns: u64) -> Result<(), Errno> {
        self.pair[1 - self.ends_next].set(moment_ns, self.lead_ns)
    }

    /// The timer of the event `token` was seen to fire. The lead learns from how late that was, if
    /// nothing else ended a sleep that had begun at `slept_from_ns`, before the timer was to fire.
    pub fn fired(&mut self, token: u64, now_ns: u64, slept_from_ns: Option<u64>) {
        let timer = &mut self.pair[usize::from(token > FIRST)];
        let was_set = timer.moment_ns.take().is_some();
        if !was_set || slept_from_ns.is_none_or(|from_ns| from_ns > timer.armed_ns) {
            return;
        }
        self.lead_ns = if now_ns.saturating_sub(timer.armed_ns) > self.lead_ns {
            (self.lead_ns + STEP_NS).min(LEAD_NS_MAX)
        } else {
            self.lead_ns.saturating_sub(9 * STEP_NS)
        };
    }
}

fn once(moment_ns: u64) -> Itimerspec {
    Itimerspec {
        it_interval: Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: Timespec {
            tv_sec: i64::try_from(moment_ns / SECOND_NS).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(moment_ns % SECOND_NS).unwrap_or(0),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timers() -> (OwnedFd, Timers) {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let timers = Timers::watched(&epoll).unwrap();
        (epoll, timers)
    }

    /// Wake-ups that are this late after what the timer is set for.
    fn wakes(timers: &mut Timers, late_ns: impl Iterator<Item = u64>) {
        for (moment_ns, late_ns) in (1..).map(|number| number * SECOND_NS).zip(late_ns) {
            timers.arm(moment_ns).unwrap();
            let token = FIRST + timers.ends_next as u64;
            timers.fired(
                token,
                timers.pair[timers.ends_next].armed_ns + late_ns,
                Some(0),
            );
        }
    }

    /// What each timer is set for, in seconds.
    fn moments_s(timers: &Timers) -> [Option<u64>; 2] {
        let moments_ns = [0, 1].map(|index| timers.pair[index].moment_ns);
        moments_ns.map(|moment_ns| moment_ns.map(|moment_ns| moment_ns / SECOND_NS))
    }

    /// A sleep until `moment_s`; whether a timer was free for a moment after it.
    fn sleeps(timers: &mut Timers, moment_s: u64, following_s: u64) -> bool {
        timers.arm(moment_s * SECOND_NS).unwrap();
        let free = timers.is_one_free();
        if free {
            timers.arm_following(following_s * SECOND_NS).unwrap();
        }
        free
    }

    #[test]
    fn the_lead_is_what_nine_wake_ups_of_ten_exceed() {
        let (_epoll, mut timers) = timers();
        // 20 to 39 us late, each as often: a tenth of them below 22 us.
        wakes(
            &mut timers,
            (0..20_000).map(|k| 20_000 + k * 7 % 20 * 1_000),
        );
        let lead_ns = timers.lead_ns;
        assert!(lead_ns.abs_diff(22_000) < 2_000, "{lead_ns} ns");
        let moment_ns = 99_000 * SECOND_NS;
        let near_ns = moment_ns - lead_ns;
        assert!(timers.is_near(moment_ns, near_ns) && !timers.is_near(moment_ns, near_ns - 1));
        timers.arm(moment_ns).unwrap();
        assert_eq!(timers.pair[timers.ends_next].armed_ns, near_ns);
        assert!(
            !timers.is_near(moment_ns, moment_ns - 1),
            "a timer is on its way"
        );
        assert!(timers.is_near(moment_ns, moment_ns));
    }

    #[test]
    fn the_lead_is_bounded_and_given_up() {
        let (_epoll, mut timers) = timers();
        wakes(&mut timers, std::iter::repeat_n(9_000_000, 5_000));
        assert_eq!(timers.lead_ns, LEAD_NS_MAX);
        wakes(&mut timers, std::iter::repeat_n(0, 100));
        assert_eq!(timers.lead_ns, 0);
    }

    #[test]
    fn what_else_came_meanwhile_teaches_nothing() {
        let (_epoll, mut timers) = timers();
        timers.arm(SECOND_NS).unwrap();
        timers.fired(FIRST, 2 * SECOND_NS, None);
        timers.fired(FIRST, 2 * SECOND_NS, Some(0)); // it has been seen
        timers.arm(SECOND_NS).unwrap();
        timers.fired(FIRST, 2 * SECOND_NS, Some(SECOND_NS + 1)); // too late to sleep for it
        assert_eq!(timers.lead_ns, 0);
    }

    #[test]
    fn moment_after_moment_only_the_later_timer_is_set() {
        let (_epoll, mut timers) = timers();
        assert!(sleeps(&mut timers, 100, 101));
        assert_eq!(moments_s(&timers), [Some(100), Some(101)]);
        assert!(
            !sleeps(&mut timers, 100, 101),
            "an answer came: nothing is left to set"
        );
        for moment_s in 101..110 {
            let fired = timers.ends_next;
            timers.fired(FIRST + fired as u64, 0, None);
            assert!(sleeps(&mut timers, moment_s, moment_s + 1));
            assert_eq!(timers.ends_next, 1 - fired, "the one that was set stays");
            let mut expected = [Some(moment_s); 2];
            expected[fired] = Some(moment_s + 1);
            assert_eq!(moments_s(&timers), expected);
        }
    }

    #[test]
    fn a_sooner_moment_takes_the_later_timer() {
        let (_epoll, mut timers) = timers();
        sleeps(&mut timers, 102, 103);
        assert!(!sleeps(&mut timers, 101, 102));
        assert_eq!(moments_s(&timers), [Some(102), Some(101)]);
    }

    #[test]
    fn a_moment_that_is_no_longer_wanted_gives_its_timer_back() {
        let (_epoll, mut timers) = timers();
        sleeps(&mut timers, 101, 102);
        assert!(sleeps(&mut timers, 102, 103));
        assert_eq!(moments_s(&timers), [Some(103), Some(102)]);
    }

    #[test]
    fn each_ends_one_sleep_and_is_silent_then() {
        let (epoll, mut timers) = timers();
        let begin_ns = crate::system::clock_ns();
        let moments_ns = [begin_ns + 2_000_000, begin_ns + 4_000_000];
        timers.arm(moments_ns[0]).unwrap();
        timers.arm_following(moments_ns[1]).unwrap();
        let mut fired = Vec::new();
        while fired.len() < 2 {
            let mut events = Vec::with_capacity(4);
            epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None).unwrap();
            let now_ns = crate::system::clock_ns();
            for event in events {
                assert!(is_timer(event.data.u64()));
                assert!(now_ns >= moments_ns[fired.len()]);
                timers.fired(event.data.u64(), now_ns, Some(begin_ns));
                fired.push(event.data.u64());
            }
        }
        assert_eq!(
            (fired, moments_s(&timers)),
            (vec![FIRST, FIRST + 1], [None; 2])
        );
        let mut events = Vec::with_capacity(4);
        let none = Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        epoll::wait(
            &epoll,
            rustix::buffer::spare_capacity(&mut events),
            Some(&none),
        )
        .unwrap();
        assert!(events.is_empty());
    }
}
