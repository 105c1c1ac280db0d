//! Random clusters with random workloads of every kind, under random acts of users and random faults, by the property kit: every promise
//! holds all the time, and after the last fault the cluster comes to rest.

use proptest::prelude::*;

use seatrial::testing::{Cases, Harness};

use crate::random::some_cases;

proptest! {
    #![proptest_config(some_cases(250))]

    #[test]
    fn random_clusters_keep_their_promises_and_come_to_rest(case in Cases::new().strategy()) {
        Harness::new().check(&case)?;
    }
}

proptest! {
    #![proptest_config(some_cases(40))]

    #[test]
    fn random_clusters_with_traffic_keep_their_promises_too(case in Cases::new().traffic(true).steps(1..=8).strategy()) {
        Harness::new().check(&case)?;
    }
}
