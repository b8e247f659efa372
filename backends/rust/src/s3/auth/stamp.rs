//! When a request was signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::s3::asked::Asked;
use crate::s3::bucket::iso_time;

const SKEW_MAX: Duration = Duration::from_secs(15 * 60);
const BASIC_FORM: &str = "20260101T000000Z";

/// A time of whole seconds, and its basic form, which is what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    text: String,
    time: SystemTime,
}

impl Stamp {
    /// Reads `x-amz-date`, or `Date` where there is none; `None` when it is no date.
    pub fn read(asked: &Asked) -> Option<Self> {
        if let Some(value) = asked.header("x-amz-date") {
            return Self::of_basic_form(std::str::from_utf8(value).ok()?);
        }
        let text = asked.text("date")?;
        let of_date = || httpdate::parse_http_date(text).ok().map(Self::of_time);
        Self::of_basic_form(text).or_else(of_date)
    }

    fn of_time(time: SystemTime) -> Self {
        // 2026-01-01T00:00:00.000Z
        let seconds = iso_time(time).replace(['-', ':'], "");
        let text = seconds.split('.').next().unwrap_or("").to_owned() + "Z";
        Self { text, time }
    }

    /// A date that the calendar does not have comes back as another one.
    pub fn of_basic_form(text: &str) -> Option<Self> {
        let has_form = |(byte, form): (u8, u8)| match form {
            b'T' | b'Z' => byte == form,
            _ => byte.is_ascii_digit(),
        };
        if text.len() != BASIC_FORM.len() || !text.bytes().zip(BASIC_FORM.bytes()).all(has_form) {
            return None;
        }
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
        let days = days_since_1970(number(0, 4)?, number(4, 6)?, number(6, 8)?)?;
        let minutes = number(9, 11)? * 60 + number(11, 13)?;
        let seconds = days * 86_400 + minutes * 60 + number(13, 15)?;
        let stamp = Self::of_time(UNIX_EPOCH + Duration::from_secs(seconds));
        (stamp.text == text).then_some(stamp)
    }

    pub fn time(&self) -> SystemTime {
        self.time
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn day(&self) -> &str {
        self.text.split('T').next().unwrap_or("")
    }

    pub fn is_near(&self, now: SystemTime) -> bool {
        let ahead = self.time.duration_since(now);
        ahead.unwrap_or_else(|behind| behind.duration()) <= SKEW_MAX
    }
}

/// The inverse of `iso_time`'s arithmetic; `None` before 1970.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * march_month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_both_forms_are_one() {
        let time = httpdate::parse_http_date("Fri, 24 May 2013 00:00:00 GMT").unwrap();
        let stamp = Stamp::of_basic_form("20130524T000000Z").unwrap();
        assert_eq!(stamp, Stamp::of_time(time));
        assert_eq!(stamp.day(), "20130524");
        for text in ["20240229T235959Z", "20000229T000000Z", "19700101T000000Z"] {
            assert_eq!(Stamp::of_basic_form(text).unwrap().text(), text);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "20260101T000000",
            "20261301T000000Z",
            "20260001T000000Z",
            "20260100T000000Z",
            "20260229T000000Z",
            "20260101T240000Z",
            "20260101T006000Z",
            "20260101T0000:0Z",
            "00000101T000000Z",
            "2026010éT00000Z",
        ] {
            assert_eq!(Stamp::of_basic_form(text), None, "{text}");
        }
    }

    #[test]
    fn a_quarter_of_an_hour_is_near() {
        let stamp = Stamp::of_basic_form("20130524T000000Z").unwrap();
        for (seconds, is_near) in [(0, true), (900, true), (901, false)] {
            let distance = Duration::from_secs(seconds);
            assert_eq!(stamp.is_near(stamp.time + distance), is_near, "{seconds}");
            assert_eq!(stamp.is_near(stamp.time - distance), is_near, "-{seconds}");
        }
    }
}
