//! Whatever comes in whatever order: at rest, claims and volumes are bound one to one, and nothing that fits is left.

use proptest::prelude::*;
use serde_json::json;

use super::PersistentVolumeController;
use crate::api::DeleteOptions;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{Key, Kind, PersistentVolume, PersistentVolumeClaim};

type Cluster = TestCluster<PersistentVolumeController>;

const MODES: [&str; 3] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"];

#[derive(Clone, Debug)]
enum Act {
    Volume { size: u8, modes: u8, class: bool },
    Claim { size: u8, modes: u8, class: bool },
    DeleteClaim(usize),
    Freeze(bool),
    Pass,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let wanted = || (1u8..6, 1u8..8, any::<bool>());
    let act = prop_oneof![
        4 => wanted().prop_map(|(size, modes, class)| Act::Volume { size, modes, class }),
        4 => wanted().prop_map(|(size, modes, class)| Act::Claim { size, modes, class }),
        1 => any::<usize>().prop_map(Act::DeleteClaim),
        1 => any::<bool>().prop_map(Act::Freeze),
        1 => Just(Act::Pass),
    ];
    prop::collection::vec(act, 1..40)
}

fn spec(size: u8, modes: u8, class: bool) -> (String, Vec<&'static str>, &'static str) {
    let modes = MODES.into_iter().enumerate().filter(|(bit, _)| modes & 1 << bit != 0).map(|(_, mode)| mode).collect();
    (format!("{size}Gi"), modes, if class { "a" } else { "b" })
}

fn perform(cluster: &mut Cluster, serial: usize, act: &Act) {
    match act {
        Act::Volume { size, modes, class } => {
            let (size, modes, class) = spec(*size, *modes, *class);
            cluster.apply(
                json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("v{serial}")},
                "spec": {"capacity": {"storage": size}, "accessModes": modes, "storageClassName": class,
                         "nfs": {"server": "s", "path": "/"}}}),
            );
        }
        Act::Claim { size, modes, class } => {
            let (size, modes, class) = spec(*size, *modes, *class);
            cluster.apply(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": format!("c{serial}"), "namespace": "default"}, "status": {"phase": "Pending"},
                "spec": {"accessModes": modes, "storageClassName": class, "resources": {"requests": {"storage": size}}}}));
        }
        Act::DeleteClaim(which) => {
            let claims: Vec<Key> = cluster.store.list(Kind::PersistentVolumeClaim).iter().map(|c| c.key()).collect();
            if !claims.is_empty() {
                let key = &claims[which % claims.len()];
                cluster.delete(Kind::PersistentVolumeClaim, key, &DeleteOptions::default()).expect("listed");
            }
        }
        Act::Freeze(frozen) => {
            cluster.frozen = *frozen;
            if !frozen {
                cluster.catch_up();
            }
        }
        Act::Pass => drop(cluster.run()),
    }
}

fn suits(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    volume.size() >= claim.request()
        && volume.class() == claim.class()
        && volume.spec.access_modes.contain_all(&claim.spec.access_modes)
}

fn check(cluster: &Cluster) {
    let view = &cluster.store;
    for claim in view.persistent_volume_claims.iter() {
        if claim.is_bound() {
            let volume = view.persistent_volumes.get(&Key::new("", &*claim.spec.volume_name)).expect("its volume");
            let reference = volume.spec.claim_ref.as_ref().expect("it points back");
            assert_eq!(reference.uid, claim.meta.uid, "one to one");
            assert!(volume.is_bound() && suits(volume, claim), "{} and {}", claim.meta.name, volume.meta.name);
            assert_eq!(claim.capacity(), volume.size());
        } else {
            assert_eq!(claim.phase(), "Pending");
            let free =
                view.persistent_volumes.iter().find(|volume| volume.phase() == "Available" && suits(volume, claim));
            assert!(free.is_none(), "{} could have {:?}", claim.meta.name, free.map(|volume| &volume.meta.name));
        }
    }
    for volume in view.persistent_volumes.iter().filter(|volume| volume.is_bound()) {
        let claim = volume.claim().and_then(|key| view.persistent_volume_claims.get(&key)).expect("its claim");
        assert_eq!(*claim.spec.volume_name, *volume.meta.name, "one to one");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn at_rest_claims_and_volumes_are_bound_one_to_one(acts in acts()) {
        let mut cluster = Cluster::default();
        for (serial, act) in acts.iter().enumerate() {
            perform(&mut cluster, serial, act);
        }
        cluster.frozen = false;
        cluster.catch_up();
        cluster.run_for(120);
        check(&cluster);
    }

    #[test]
    fn a_claim_gets_the_smallest_of_the_volumes_with_the_fewest_modes(
        volumes in prop::collection::vec((1u8..9, 1u8..8), 1..12), size in 1u8..9, modes in 1u8..8,
    ) {
        let mut cluster = Cluster::default();
        for (serial, (size, modes)) in volumes.iter().enumerate() {
            perform(&mut cluster, serial, &Act::Volume { size: *size, modes: *modes, class: true });
        }
        cluster.run();
        perform(&mut cluster, 99, &Act::Claim { size, modes, class: true });
        cluster.run();
        let best = volumes.iter().filter(|(s, m)| *s >= size && m & modes == modes);
        let best = best.map(|(s, m)| (m.count_ones(), *s)).min();
        let claim = cluster.store.persistent_volume_claims.iter().next().expect("the claim");
        let volume = cluster.store.persistent_volumes.get(&Key::new("", &*claim.spec.volume_name));
        let got = volume.map(|volume| (volume.spec.access_modes.count(), (volume.size().value() >> 30) as u8));
        // Of groups with equally many modes, any may be the first.
        prop_assert_eq!(got.map(|(count, _)| count), best.map(|(count, _)| count));
        if let Some((count, size_of_best)) = got {
            let same_modes = volume.map(|volume| volume.spec.access_modes.set()).unwrap_or_default();
            let bits = |m: u8| u8::from(m & 1 != 0) | u8::from(m & 2 != 0) << 1 | u8::from(m & 4 != 0) << 2;
            let smallest = volumes.iter().filter(|(s, m)| *s >= size && bits(*m) == same_modes).map(|(s, _)| *s).min();
            prop_assert_eq!(Some(size_of_best), smallest, "{} modes", count);
        }
    }
}
