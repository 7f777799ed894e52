//! Why a connection is refused: before anybody has said on it what he wants.

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionReason {
    /// No TLS on a port that speaks TLS.
    PlainText,
    /// TLS on a port that does not.
    TlsToPlain,
    /// No client certificate where one is wanted.
    NoCertificate,
    /// A client certificate of a CA that is not trusted here.
    UnknownCa,
    /// A client certificate that is not valid at this time.
    Expired,
    /// A client certificate without a name.
    Nameless,
    /// The other side does not trust this one's certificate.
    RefusedByPeer,
    /// Nothing came for a while.
    Timeout,
    /// Anything else about TLS.
    Handshake,
    /// All places are taken, or those of its address.
    TooMany,
    /// It had no call, and others needed its place.
    GaveWay,
    /// No call that is welcome within the time.
    NoCall,
    /// Too many bytes before a call that is welcome.
    Flood,
    /// Answers were not taken within the time.
    SlowReader,
}

impl ConnectionReason {
    /// All of them.
    pub const ALL: [ConnectionReason; 14] = [
        ConnectionReason::PlainText,
        ConnectionReason::TlsToPlain,
        ConnectionReason::NoCertificate,
        ConnectionReason::UnknownCa,
        ConnectionReason::Expired,
        ConnectionReason::Nameless,
        ConnectionReason::RefusedByPeer,
        ConnectionReason::Timeout,
        ConnectionReason::Handshake,
        ConnectionReason::TooMany,
        ConnectionReason::GaveWay,
        ConnectionReason::NoCall,
        ConnectionReason::Flood,
        ConnectionReason::SlowReader,
    ];

    /// As a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionReason::PlainText => "plain_text",
            ConnectionReason::TlsToPlain => "tls_to_plain",
            ConnectionReason::NoCertificate => "no_certificate",
            ConnectionReason::UnknownCa => "unknown_ca",
            ConnectionReason::Expired => "expired",
            ConnectionReason::Nameless => "nameless",
            ConnectionReason::RefusedByPeer => "refused_by_peer",
            ConnectionReason::Timeout => "timeout",
            ConnectionReason::Handshake => "handshake",
            ConnectionReason::TooMany => "too_many",
            ConnectionReason::GaveWay => "gave_way",
            ConnectionReason::NoCall => "no_call",
            ConnectionReason::Flood => "flood",
            ConnectionReason::SlowReader => "slow_reader",
        }
    }
}
