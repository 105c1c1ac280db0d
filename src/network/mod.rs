//! Endpoints to packets: proxies, DNS, ingress, traffic. Not simulated yet: a scenario's `traffic` is taken and left out with a
//! notice.
