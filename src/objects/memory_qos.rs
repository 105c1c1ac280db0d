//! Memory settings of cgroups v2 (upstream `pkg/kubelet/kuberuntime/kuberuntime_container_linux.go`, feature `MemoryQoS`,
//! which is off by default in 1.36).

use serde_json::Value;

use super::QosClass;
use super::pod_resources::{ResourceAmounts, listed};

/// Bytes of a page of memory.
const PAGE: i128 = 4096;
/// `memoryThrottlingFactor` of the kubelet, in tenths.
const THROTTLING_TENTHS: i128 = 9;

/// `memoryReservationPolicy` of the kubelet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryReservationPolicy {
    /// Nothing is reserved.
    #[default]
    None,
    /// What is requested is reserved: firmly for Guaranteed pods, softly for Burstable ones.
    TieredReservation,
}

/// Settings of a container's cgroup, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryQos {
    /// `memory.min`: never reclaimed.
    pub min: i64,
    /// `memory.low`: reclaimed last.
    pub low: i64,
    /// `memory.high`: throttled above; absent = not set.
    pub high: Option<i64>,
}

/// The settings of a container (wire form) of a pod of that class, on a node with these allocatable amounts.
///
/// ```
/// use seatrial::objects::{MemoryReservationPolicy, QosClass, memory_qos};
///
/// let container = serde_json::json!({"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}});
/// let figures = memory_qos(QosClass::Burstable, &container, &Default::default(), MemoryReservationPolicy::None);
/// assert_eq!(figures.high, Some(2_040_107_008));
/// ```
#[must_use]
pub fn memory_qos(
    class: QosClass,
    container: &Value,
    allocatable: &ResourceAmounts,
    policy: MemoryReservationPolicy,
) -> MemoryQos {
    let memory = |list: &str| {
        let amounts = container.get("resources").and_then(|resources| resources.get(list)).map(listed);
        amounts.and_then(|amounts| amounts.get("memory").copied()).map_or(0, |amount| amount.value())
    };
    let (request, limit) = (memory("requests"), memory("limits"));
    let reserved = if policy == MemoryReservationPolicy::TieredReservation { request } else { 0 };
    let is_firm = class == QosClass::Guaranteed;
    let most = match limit {
        0 => allocatable.get("memory").map_or(0, |amount| amount.value()),
        limit => limit,
    };
    let throttled = || {
        let (request, most) = (i128::from(request), i128::from(most));
        let high = request + ((most - request) * THROTTLING_TENTHS).div_euclid(10);
        i64::try_from(high.div_euclid(PAGE) * PAGE).ok()
    };
    let high = if request == limit || most <= 0 { None } else { throttled().filter(|high| *high > request) };
    MemoryQos { min: if is_firm { reserved } else { 0 }, low: if is_firm { 0 } else { reserved }, high }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn memory_is_reserved_and_throttled() {
        let allocatable = listed(&json!({"memory": "8Gi"}));
        let figures = |class, request: Value, limit: Value, policy| {
            let container = json!({"resources": {"requests": {"memory": request}, "limits": {"memory": limit}}});
            let MemoryQos { min, low, high } = memory_qos(class, &container, &allocatable, policy);
            (min, low, high)
        };
        use MemoryReservationPolicy::{None as Plain, TieredReservation as Tiered};
        let (mi, gi) = (1i64 << 20, 1i64 << 30);
        assert_eq!(figures(QosClass::Guaranteed, json!("1Gi"), json!("1Gi"), Plain), (0, 0, None));
        assert_eq!(figures(QosClass::Guaranteed, json!("1Gi"), json!("1Gi"), Tiered), (gi, 0, None));
        let high = (100 * mi + 90 * mi) / 4096 * 4096;
        assert_eq!(figures(QosClass::Burstable, json!("100Mi"), json!("200Mi"), Plain), (0, 0, Some(high)));
        assert_eq!(figures(QosClass::Burstable, json!("100Mi"), json!("200Mi"), Tiered), (0, 100 * mi, Some(high)));
        let of_node = (gi + 7 * gi * 9 / 10) / 4096 * 4096;
        assert_eq!(figures(QosClass::Burstable, json!("1Gi"), Value::Null, Plain), (0, 0, Some(of_node)));
        assert_eq!(figures(QosClass::BestEffort, Value::Null, Value::Null, Tiered), (0, 0, None));
        // Less than a page above the request.
        assert_eq!(figures(QosClass::Burstable, json!("1Gi"), json!("1048577Ki"), Plain), (0, 0, None));
    }
}
