//! How a request can fail: the contract's closed list.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Connect,
    Reset,
    Timeout,
    Closed,
    Parse,
    Status,
    Length,
    Digest,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Reset,
        Self::Timeout,
        Self::Closed,
        Self::Parse,
        Self::Status,
        Self::Length,
        Self::Digest,
    ];

    /// The name in events and in the header of `requests.bin`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Parse => "parse",
            Self::Status => "status",
            Self::Length => "length",
            Self::Digest => "digest",
        }
    }
}
