//! What becomes of a request.

use std::fmt;

/// What a client sees of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// An answer other than a server error, in time.
    Answered,
    /// The connection was refused: a TCP reset or an ICMP error to its first packet.
    Refused,
    /// The connection was cut before the answer had come.
    Reset,
    /// Nothing came within the client's timeout.
    TimedOut,
    /// An answer with a status of 500 or more.
    ServerError,
    /// An answer with a status of 400 to 499, such as 404 for an unknown host.
    ClientError,
    /// The name does not resolve.
    NameError,
    /// An answer with a status of 300 to 399: the client is sent elsewhere, and does not go there.
    Redirected,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Answered,
        Self::Refused,
        Self::Reset,
        Self::TimedOut,
        Self::ServerError,
        Self::ClientError,
        Self::NameError,
        Self::Redirected,
    ];

    /// In words for reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::TimedOut => "timed out",
            Self::ServerError => "5xx",
            Self::ClientError => "4xx",
            Self::NameError => "name not found",
            Self::Redirected => "3xx",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What may stand between a client and an application, and answer by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intermediary {
    /// An ingress controller.
    Ingress,
    /// The data plane of a Gateway.
    Gateway,
}

impl Intermediary {
    /// In a word for reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Gateway => "gateway",
        }
    }
}

/// Why an attempt had its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Cause {
    /// It was served.
    Served,
    /// The application answered with an error of its own.
    ApplicationError,
    /// The server's queue was full.
    QueueFull,
    /// The answer came, or would have come, after the client's timeout.
    TooSlow,
    /// The application hangs: connections are accepted and nothing comes.
    Hung,
    /// A process is there, but does not listen yet.
    NotListening,
    /// What is there listens to other ports.
    PortClosed,
    /// The process was told to stop and has closed its listener.
    Stopping,
    /// The container has no process: it ended, or was not started yet.
    NoProcess,
    /// The process ended while it worked on the request, or the request waited for it.
    Killed,
    /// Nothing has the endpoint's address: the pod is gone.
    AddressGone,
    /// The endpoint's machine is down.
    NodeDown,
    /// The machine that the request entered by, or the client's own, is down.
    EntryNodeDown,
    /// The node has rules for the service and knows of no usable endpoint: REJECT.
    NoEndpoints,
    /// A `Local` traffic policy, and no usable endpoint on the node: DROP.
    NoLocalEndpoints,
    /// The node has no rules for the service (yet), and nothing has its address: the packet goes astray.
    NotProgrammed,
    /// The node has no rules for its own port (yet), on which nothing listens: its kernel refuses.
    PortNotProgrammed,
    /// The service has no such port, or none that can be reached from where the client is.
    NoSuchPort,
    /// There is no such service, or its name does not resolve from where the client is.
    NoSuchName,
    /// No rule of an ingress fits.
    NoRule,
    /// The load balancer knows of no healthy node.
    NoHealthyNode,
    /// The client's address is outside of `loadBalancerSourceRanges`.
    SourceRange,
    /// A NetworkPolicy denies it.
    PolicyDenied,
    /// Cluster DNS did not answer: no pod of it is ready, or none that was asked answered in time.
    DnsFailure,
    /// What the name or the address stands for is outside of the cluster and not simulated.
    OutsideCluster,
    /// An ingress controller or Gateway refused it by its own rules: 403.
    Forbidden,
    /// An ingress controller refused it, as its body is too long: 413.
    TooLarge,
    /// An ingress controller or Gateway sends the client elsewhere.
    Redirected,
    /// An ingress controller or Gateway shows a certificate that is not for the host.
    Untrusted,
    /// An ingress controller or Gateway has nobody to pass it on to: 503.
    NoUpstream,
    /// A Gateway's rule leads to something that is not there: 500.
    NoBackend,
    /// Whom an ingress controller or Gateway passed it on to refused or cut the connection: 502.
    BadGateway,
    /// Whom an ingress controller or Gateway passed it on to did not answer in time: 504.
    GatewayTimeout,
}

impl Cause {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 33] = [
        Self::Served,
        Self::ApplicationError,
        Self::QueueFull,
        Self::TooSlow,
        Self::Hung,
        Self::NotListening,
        Self::PortClosed,
        Self::Stopping,
        Self::NoProcess,
        Self::Killed,
        Self::AddressGone,
        Self::NodeDown,
        Self::EntryNodeDown,
        Self::NoEndpoints,
        Self::NoLocalEndpoints,
        Self::NotProgrammed,
        Self::PortNotProgrammed,
        Self::NoSuchPort,
        Self::NoSuchName,
        Self::NoRule,
        Self::NoHealthyNode,
        Self::SourceRange,
        Self::PolicyDenied,
        Self::DnsFailure,
        Self::OutsideCluster,
        Self::Forbidden,
        Self::TooLarge,
        Self::Redirected,
        Self::Untrusted,
        Self::NoUpstream,
        Self::NoBackend,
        Self::BadGateway,
        Self::GatewayTimeout,
    ];

    /// The status by which a reverse proxy tells of it, if it is one that tells; of redirects 308 stands for all.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        Some(match self {
            Self::Redirected => 308,
            Self::Forbidden => 403,
            Self::TooLarge => 413,
            Self::NoRule => 404,
            Self::NoBackend => 500,
            Self::BadGateway => 502,
            Self::NoUpstream => 503,
            Self::GatewayTimeout => 504,
            _ => return None,
        })
    }

    /// What a TCP client sees of it.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Served => Outcome::Answered,
            Self::ApplicationError
            | Self::QueueFull
            | Self::NoUpstream
            | Self::NoBackend
            | Self::BadGateway
            | Self::GatewayTimeout => Outcome::ServerError,
            Self::NotListening
            | Self::PortClosed
            | Self::Stopping
            | Self::NoProcess
            | Self::NoEndpoints
            | Self::PortNotProgrammed => Outcome::Refused,
            Self::Killed | Self::Untrusted => Outcome::Reset,
            Self::TooSlow
            | Self::Hung
            | Self::AddressGone
            | Self::NodeDown
            | Self::EntryNodeDown
            | Self::NoLocalEndpoints
            | Self::NotProgrammed
            | Self::NoSuchPort
            | Self::NoHealthyNode
            | Self::SourceRange
            | Self::PolicyDenied
            | Self::OutsideCluster => Outcome::TimedOut,
            Self::NoRule | Self::Forbidden | Self::TooLarge => Outcome::ClientError,
            Self::Redirected => Outcome::Redirected,
            Self::NoSuchName | Self::DnsFailure => Outcome::NameError,
        }
    }

    /// Whether somebody waits for nothing until it is there.
    #[must_use]
    pub const fn is_silence(self) -> bool {
        matches!(self.outcome(), Outcome::TimedOut) || matches!(self, Self::DnsFailure)
    }

    /// In words, such as `killed while working on it`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::ApplicationError => "error of the application",
            Self::QueueFull => "queue full",
            Self::TooSlow => "too slow",
            Self::Hung => "application hangs",
            Self::NotListening => "not listening yet",
            Self::PortClosed => "nothing listens to the port",
            Self::Stopping => "listener closed after SIGTERM",
            Self::NoProcess => "no process in the container",
            Self::Killed => "process ended during the request",
            Self::AddressGone => "pod gone",
            Self::NodeDown => "node of the pod down",
            Self::EntryNodeDown => "node of the client or of the way in down",
            Self::NoEndpoints => "no endpoints",
            Self::NoLocalEndpoints => "no endpoints on the node",
            Self::NotProgrammed => "no rules on the node",
            Self::PortNotProgrammed => "no rules for the node's port",
            Self::NoSuchPort => "no such port from there",
            Self::NoSuchName => "no such name",
            Self::NoRule => "no rule of an ingress or gateway",
            Self::NoHealthyNode => "no healthy node behind the load balancer",
            Self::SourceRange => "outside of the source ranges",
            Self::PolicyDenied => "denied by a network policy",
            Self::DnsFailure => "DNS did not answer",
            Self::OutsideCluster => "outside of the cluster, not simulated",
            Self::Forbidden => "refused by a rule of an ingress (403)",
            Self::TooLarge => "body too long for an ingress (413)",
            Self::Redirected => "redirected by an ingress or gateway",
            Self::Untrusted => "no certificate for the host",
            Self::NoUpstream => "ingress or gateway: no ready endpoint (503)",
            Self::NoBackend => "gateway: no such backend (500)",
            Self::BadGateway => "ingress or gateway: upstream refused or cut it (502)",
            Self::GatewayTimeout => "ingress or gateway: upstream did not answer (504)",
        }
    }

    /// The same where it is known what answered.
    #[must_use]
    pub const fn told_by(self, by: Intermediary) -> &'static str {
        match (self, by) {
            (Self::NoRule, Intermediary::Ingress) => "no rule of an ingress",
            (Self::NoRule, Intermediary::Gateway) => "no rule of a gateway",
            (Self::Redirected, Intermediary::Ingress) => "redirected by an ingress",
            (Self::Redirected, Intermediary::Gateway) => "redirected by a gateway",
            (Self::NoUpstream, Intermediary::Ingress) => "ingress: no ready endpoint (503)",
            (Self::NoUpstream, Intermediary::Gateway) => "gateway: no ready endpoint (503)",
            (Self::BadGateway, Intermediary::Ingress) => "ingress: upstream refused or cut it (502)",
            (Self::BadGateway, Intermediary::Gateway) => "gateway: upstream refused or cut it (502)",
            (Self::GatewayTimeout, Intermediary::Ingress) => "ingress: upstream did not answer (504)",
            (Self::GatewayTimeout, Intermediary::Gateway) => "gateway: upstream did not answer (504)",
            _ => self.as_str(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_the_order_of_the_numbers() {
        assert!(Outcome::ALL.iter().enumerate().all(|(at, outcome)| *outcome as usize == at));
        assert!(Cause::ALL.iter().enumerate().all(|(at, cause)| *cause as usize == at));
    }

    #[test]
    fn only_what_is_served_is_answered() {
        let answered = Cause::ALL.iter().filter(|cause| cause.outcome() == Outcome::Answered);
        assert_eq!(answered.collect::<Vec<_>>(), [&Cause::Served]);
    }
}
