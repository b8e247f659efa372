//! The timer that ends a thread's sleep, and how much too late its wake-ups come.

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{
    timerfd_create, timerfd_settime, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags,
    Timespec,
};

/// The timer's events; no connection has this number.
pub const TIMER: u64 = u64::MAX;
const SECOND_NS: u64 = 1_000_000_000;
/// The most that a sleep ends early, and what one wake-up moves the lead at most.
const LEAD_NS_MAX: u64 = 50_000;
const STEP_NS: u64 = 100;

/// Armed ahead of the moment that is wanted, by the lead: the lateness that nine of ten wake-ups
/// have. A virtual machine's timers are late by some tens of microseconds nearly always, so setting
/// them earlier by that costs nothing; after the one wake-up in ten that is not as late, the thread
/// looks again until the moment has come, at most the lead.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    /// What it was asked for, and what it is set for: the lead earlier. It stays readable from then
    /// on until it is set again.
    moment_ns: u64,
    armed_ns: u64,
    /// Whether it has not been seen to fire.
    pending: bool,
    lead_ns: u64,
}

impl Timer {
    /// A timer in the set of what `epoll` waits for.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub fn watched(epoll: &OwnedFd) -> Result<Self, Errno> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let token = epoll::EventData::new_u64(TIMER);
        epoll::add(epoll, &fd, token, epoll::EventFlags::IN)?;
        Ok(Self {
            fd,
            moment_ns: 0,
            armed_ns: 0,
            pending: false,
            lead_ns: 0,
        })
    }

    /// Whether `moment_ns` is too near to sleep for.
    #[must_use]
    pub fn is_near(&self, moment_ns: u64, now_ns: u64) -> bool {
        moment_ns <= now_ns + self.lead_ns
    }

    /// Ends the next sleep at `moment_ns`, or a little before. Setting a timer is what a sleep
    /// costs most in a virtual machine, so one that is set for this moment stays.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn arm(&mut self, moment_ns: u64) -> Result<(), Errno> {
        if self.pending && moment_ns == self.moment_ns {
            return Ok(());
        }
        let armed_ns = moment_ns.saturating_sub(self.lead_ns);
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &once(armed_ns))?;
        (self.moment_ns, self.armed_ns, self.pending) = (moment_ns, armed_ns, true);
        Ok(())
    }

    /// It fired. When that alone ended a sleep, the lead learns from how late it was.
    pub fn fired(&mut self, now_ns: u64, alone: bool) {
        if !std::mem::take(&mut self.pending) || !alone {
            return;
        }
        self.lead_ns = if now_ns.saturating_sub(self.armed_ns) > self.lead_ns {
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

    fn timer() -> (OwnedFd, Timer) {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let timer = Timer::watched(&epoll).unwrap();
        (epoll, timer)
    }

    /// Wake-ups that are this late after what the timer is set for.
    fn wakes(timer: &mut Timer, late_ns: impl Iterator<Item = u64>) {
        for (moment_ns, late_ns) in (1..).map(|number| number * SECOND_NS).zip(late_ns) {
            timer.arm(moment_ns).unwrap();
            timer.fired(timer.armed_ns + late_ns, true);
        }
    }

    #[test]
    fn the_lead_is_what_nine_wake_ups_of_ten_exceed() {
        let (_epoll, mut timer) = timer();
        // 20 to 39 us late, each as often: a tenth of them below 22 us.
        wakes(&mut timer, (0..20_000).map(|k| 20_000 + k * 7 % 20 * 1_000));
        assert!(
            timer.lead_ns.abs_diff(22_000) < 2_000,
            "{} ns",
            timer.lead_ns
        );
        let moment_ns = 99_000 * SECOND_NS;
        timer.arm(moment_ns).unwrap();
        assert_eq!(timer.armed_ns, moment_ns - timer.lead_ns);
        assert!(timer.is_near(moment_ns, timer.armed_ns));
        assert!(!timer.is_near(moment_ns, timer.armed_ns - 1));
    }

    #[test]
    fn the_lead_is_bounded_and_given_up() {
        let (_epoll, mut timer) = timer();
        wakes(&mut timer, std::iter::repeat_n(9_000_000, 5_000));
        assert_eq!(timer.lead_ns, LEAD_NS_MAX);
        wakes(&mut timer, std::iter::repeat_n(0, 100));
        assert_eq!(timer.lead_ns, 0);
    }

    #[test]
    fn what_else_came_meanwhile_teaches_nothing() {
        let (_epoll, mut timer) = timer();
        timer.arm(SECOND_NS).unwrap();
        timer.fired(2 * SECOND_NS, false);
        timer.fired(2 * SECOND_NS, true); // it has been seen
        assert_eq!(timer.lead_ns, 0);
    }
}
