//! What a server's settings and window updates change.

use super::client::{Client, WINDOW_BYTES_MAX};
use super::frames::{self as f, Head};
use crate::parser::Malformed;

impl Client {
    pub(super) fn take_settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Malformed> {
        if head.has(f::ACK) || payload.len() % 6 != 0 {
            let good = head.has(f::ACK) && payload.is_empty();
            return good.then_some(()).ok_or(Malformed("bad settings"));
        }
        for one in payload.chunks_exact(6) {
            let value = f::u32_at(one, 2);
            match u16::from_be_bytes([one[0], one[1]]) {
                f::SETTING_STREAMS => {
                    self.streams_max = usize::try_from(value).unwrap_or(usize::MAX);
                }
                f::SETTING_WINDOW => self.move_windows(i64::from(value))?,
                f::SETTING_FRAME if !(1 << 14..1 << 24).contains(&value) => {
                    return Err(Malformed("bad settings"));
                }
                _ => {} // a larger frame is not used, nor any table
            }
        }
        self.settled = true;
        f::push(f::SETTINGS, f::ACK, 0, &[], &mut self.control);
        Ok(())
    }

    /// The first window of streams, which moves those of the open ones (they may fall below zero).
    fn move_windows(&mut self, value: i64) -> Result<(), Malformed> {
        let delta = value - self.stream_window;
        self.stream_window = value;
        for body in &mut self.bodies {
            body.window += delta;
        }
        let most = self.bodies.iter().map(|body| body.window).max();
        let good = value.max(most.unwrap_or(0)) <= WINDOW_BYTES_MAX;
        good.then_some(())
            .ok_or(Malformed("a window over the limit"))
    }

    pub(super) fn widen(&mut self, stream: u32, more: u32) -> Result<(), Malformed> {
        let more = i64::from(more & f::STREAM_MAX);
        let window = if stream == 0 {
            Some(&mut self.window)
        } else if self.was_opened(stream) {
            let mut bodies = self.bodies.iter_mut();
            bodies
                .find(|body| body.stream == stream)
                .map(|body| &mut body.window)
        } else {
            return Err(Malformed("a window of a stream that nobody opened"));
        };
        if more == 0 {
            return Err(Malformed("a window widened by nothing"));
        }
        if let Some(window) = window {
            *window += more;
            if *window > WINDOW_BYTES_MAX {
                return Err(Malformed("a window over the limit"));
            }
        }
        Ok(())
    }
}
