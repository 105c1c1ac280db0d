//! Whether another peer is tried, and what the client is told otherwise (nginx `proxy_next_upstream`).

use crate::kernel::SimDuration;

/// What came of an attempt at one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It answered with that status.
    Answered(u16),
    /// It refused the connection.
    Refused,
    /// It cut the connection after the request was sent.
    Reset,
    /// It did not take the connection in time.
    ConnectTimeout,
    /// It took the request and said nothing in time.
    ReadTimeout,
}

/// What happens after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another peer is asked, which may be the same again.
    Retry,
    /// The client gets that status.
    Answer(u16),
}

/// When another peer is tried. The default: after errors and timeouts, three attempts in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextUpstream {
    /// After a refused or cut connection.
    pub error: bool,
    /// After a timeout.
    pub timeout_too: bool,
    /// After these statuses.
    pub statuses: Vec<u16>,
    /// Also requests that are not idempotent, although the peer may have acted on them.
    pub non_idempotent: bool,
    /// Attempts in all; 0 = any number.
    pub tries: u32,
    /// Time after which no further attempt is made; 0 = any time.
    pub timeout: SimDuration,
}

impl Default for NextUpstream {
    fn default() -> Self {
        Self {
            error: true,
            timeout_too: true,
            statuses: Vec::new(),
            non_idempotent: false,
            tries: 3,
            timeout: SimDuration::ZERO,
        }
    }
}

impl NextUpstream {
    /// What happens after the `tried`-th attempt (from 1), `elapsed` after the first began.
    #[must_use]
    pub fn after(&self, attempt: Attempt, tried: u32, elapsed: SimDuration, method: &str) -> Next {
        let (status, wanted, was_sent) = match attempt {
            Attempt::Answered(status) => (status, self.statuses.contains(&status), true),
            Attempt::Refused => (502, self.error, false),
            Attempt::Reset => (502, self.error, true),
            Attempt::ConnectTimeout => (504, self.timeout_too, false),
            Attempt::ReadTimeout => (504, self.timeout_too, true),
        };
        let is_idempotent = !matches!(method, "POST" | "LOCK" | "PATCH");
        let may_repeat = !was_sent || is_idempotent || self.non_idempotent;
        let has_tries = self.tries == 0 || tried < self.tries;
        let has_time = self.timeout.is_zero() || elapsed < self.timeout;
        if wanted && may_repeat && has_tries && has_time { Next::Retry } else { Next::Answer(status) }
    }

    /// Reads `error timeout http_503 non_idempotent`, or `off`; whether all of it is understood.
    pub(super) fn read_conditions(&mut self, text: &str) -> bool {
        let mut read = Self { error: false, timeout_too: false, statuses: Vec::new(), ..self.clone() };
        for word in text.split_whitespace() {
            match word {
                "error" => read.error = true,
                "timeout" => read.timeout_too = true,
                "non_idempotent" => read.non_idempotent = true,
                "off" | "invalid_header" => {}
                word => match word.strip_prefix("http_").and_then(|status| status.parse().ok()) {
                    Some(status) => read.statuses.push(status),
                    None => return false,
                },
            }
        }
        *self = read;
        true
    }
}
