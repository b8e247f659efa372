//! Seconds since the epoch as a date in ISO 8601's basic form, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 86_400;

/// The wall clock, for dates only: times are measured on the monotonic one.
#[must_use]
pub fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// `20130524T000000Z`; years beyond 9999 do not fit and are cut.
#[must_use]
pub fn basic_form(second: u64) -> [u8; 16] {
    let (year, month, day) = date(second / DAY_S);
    let of_day = second % DAY_S;
    let mut out = *b"00000000T000000Z";
    let parts = [
        (0, 4, year),
        (4, 2, month),
        (6, 2, day),
        (9, 2, of_day / 3600),
        (11, 2, of_day / 60 % 60),
        (13, 2, of_day % 60),
    ];
    for (at, digits, mut number) in parts {
        for place in out[at..at + digits].iter_mut().rev() {
            *place += u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }
    out
}

/// Year, month and day of a day since 1970-01-01, by years that begin in March (Hinnant's
/// `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_known_have_their_dates() {
        for (second, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_369_353_600, "20130524T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (1_798_761_599, "20261231T235959Z"),
        ] {
            assert_eq!(std::str::from_utf8(&basic_form(second)).unwrap(), text);
        }
    }
}
