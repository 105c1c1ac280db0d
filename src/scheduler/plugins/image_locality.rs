//! Prefers nodes that have the pod's images already.

use crate::objects::Pod;
use crate::scheduler::cache::{self, NodeId, NodeInfo};
use crate::scheduler::cycle::Cycle;
use crate::scheduler::framework::{Plugin, PreFilter, PreScore};

/// Of the simulated nodes none lists images, so that all get 0 points; Nodes from manifests with `status.images` do not.
#[derive(Debug)]
pub(super) struct ImageLocality;

const MIB: i64 = 1 << 20;
/// Less than this gives no points.
const LEAST: i64 = 23 * MIB;
/// Per container, more than this gives no more points.
const MOST: i64 = 1000 * MIB;

/// Images of containers and image volumes, with the tag that an absent one stands for.
fn images(pod: &Pod) -> impl Iterator<Item = String> {
    let containers = pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let of_volume = |volume: &serde_json::Value| Some(volume.get("image")?.get("reference")?.as_str()?.to_owned());
    let volumes = pod.spec.wire().get("volumes").and_then(serde_json::Value::as_array).into_iter().flatten();
    containers.map(|container| container.image.to_string()).chain(volumes.filter_map(of_volume)).map(with_tag)
}

fn with_tag(mut name: String) -> String {
    if name.rfind(':') <= name.rfind('/') {
        name.push_str(":latest");
    }
    name
}

impl Plugin for ImageLocality {
    type State = Vec<String>;

    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn pre_filter(&self, _: &Cycle<'_>, _: &mut Vec<String>) -> PreFilter {
        PreFilter::Skip
    }

    fn pre_score(&self, cycle: &Cycle<'_>, wanted: &mut Vec<String>, _: &[NodeId]) -> PreScore {
        wanted.clear();
        if cycle.cache.images().is_empty() {
            return PreScore::Skip;
        }
        wanted.extend(images(cycle.pod));
        PreScore::Score
    }

    fn score(&self, cycle: &Cycle<'_>, wanted: &Vec<String>, node: &NodeInfo) -> i64 {
        let nodes = cycle.cache.order().len();
        // An image that is on few nodes counts less, lest all its pods go there.
        let scaled = |name: &String| {
            let image = cycle.cache.images().get(name).filter(|_| cache::has_image(node.node(), name));
            image.map_or(0, |image| (image.size as f64 * (f64::from(image.nodes) / nodes as f64)) as i64)
        };
        let sum = wanted.iter().map(scaled).fold(0i64, i64::saturating_add);
        let containers = cycle.pod.spec.init_containers.len() + cycle.pod.spec.containers.len();
        let most = MOST.saturating_mul(i64::try_from(containers).unwrap_or(i64::MAX));
        if most <= LEAST { 0 } else { (sum.clamp(LEAST, most) - LEAST).saturating_mul(100) / (most - LEAST) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::scheduler::testing::{Bench, node, pod};

    const MIB: i64 = 1 << 20;

    fn bench(nodes: &[&[(&str, i64)]]) -> Bench {
        let mut bench = Bench::default();
        for (at, images) in nodes.iter().enumerate() {
            let images: Vec<Value> =
                images.iter().map(|(name, mib)| json!({"names": [name], "sizeBytes": mib * MIB})).collect();
            bench.add(node(&format!("n{at}"), json!({"status": {"images": images}})));
        }
        bench
    }

    fn scores(nodes: &[&[(&str, i64)]], main: &[&str], init: &[&str]) -> Vec<i64> {
        let containers = |images: &[&str]| {
            images
                .iter()
                .enumerate()
                .map(|(at, image)| json!({"name": at.to_string(), "image": image}))
                .collect::<Value>()
        };
        let spec = json!({"containers": containers(main), "initContainers": containers(init)});
        bench(nodes).scores("ImageLocality", &pod("p", spec))
    }

    #[test]
    fn points_are_upstreams_arithmetic() {
        assert_eq!(scores(&[&[("a:latest", 40)], &[("b:1", 250)]], &["a", "b:1"], &[]), [0, 5]);
        assert_eq!(scores(&[&[("a:latest", 40), ("b:1", 300)], &[]], &["a", "b:1"], &[]), [7, 0]);
        assert_eq!(scores(&[&[("b:1", 4000)], &[("a:1", 10)]], &["a:1", "b:1"], &[]), [100, 0]);
        assert_eq!(scores(&[&[("b:1", 4000)], &[("a:1", 10)], &[]], &["a:1", "b:1"], &[]), [66, 0, 0]);
        assert_eq!(scores(&[&[("i:1", 300)], &[("m:1", 30)]], &["m:1"], &["i:1"]), [6, 0]);
    }
}
