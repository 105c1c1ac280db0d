//! Rules of allocation, case by case (`storage_test.go`).

use serde_json::json;

use super::*;

const V4: &str = "10.0.0.0/16";
const V6: &str = "2000::/108";

fn cluster(ranges: &[&str]) -> ServiceAllocations {
    let range = |text: &&str| {
        let (network, prefix) = text.split_once('/').expect("a range");
        AddressRange::new(network.parse().expect("an address"), prefix.parse().expect("bits")).expect("large enough")
    };
    ServiceAllocations { ranges: ranges.iter().map(range).collect(), ..ServiceAllocations::new(&Streams::new(1)) }
}

/// The defaults of a Service with these fields.
fn spec(fields: Value) -> Value {
    let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": fields});
    crate::objects::defaults::apply("Service", "v1", &mut service);
    service["spec"].take()
}

fn key(name: &str) -> Key {
    Key::new("default", name)
}

fn allocate(held: &ServiceAllocations, mut spec: Value, old: Option<&Value>) -> Result<Value, String> {
    held.allocate_in(&key("a"), &mut spec, old).map(|()| spec).map_err(|error| error.message)
}

fn stored(spec: &Value) -> Service {
    Service::from_wire(json!({"metadata": {"name": "a", "namespace": "default"}, "spec": spec})).expect("a service")
}

fn create(ranges: &[&str], fields: Value) -> Result<Value, String> {
    allocate(&cluster(ranges), spec(fields), None)
}

/// Creates a Service, then updates it.
fn update(ranges: &[&str], first: Value, then: Value) -> Result<Value, String> {
    let mut held = cluster(ranges);
    let old = allocate(&held, spec(first), None).expect("the first state is fine");
    held.follow(None, Some(&stored(&old)));
    allocate(&held, spec(then), Some(&old))
}

fn families(spec: &Value) -> (&str, Vec<&str>, usize) {
    (spec.text("ipFamilyPolicy"), spec.texts("ipFamilies"), spec.list("clusterIPs").len())
}

fn node_ports(spec: &Value) -> Vec<i64> {
    spec.list("ports").iter().map(|port| port.int("nodePort")).collect()
}

/// `TestCreateInitIPFields`.
#[test]
fn families_follow_policy_addresses_and_cluster() {
    let rows = [
        (&[V4][..], json!({}), Ok(("SingleStack", vec!["IPv4"], 1))),
        (&[V4], json!({"ipFamilyPolicy": "PreferDualStack"}), Ok(("PreferDualStack", vec!["IPv4"], 1))),
        (
            &[V4],
            json!({"ipFamilyPolicy": "RequireDualStack"}),
            Err(
                "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
            ),
        ),
        (
            &[V4],
            json!({"ipFamilies": ["IPv6"]}),
            Err("spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"),
        ),
        (
            &[V4],
            json!({"clusterIP": "2000::1"}),
            Err("spec.clusterIPs[0]: Invalid value: [\"2000::1\"]: IPv6 is not configured on this cluster"),
        ),
        (&[V4], json!({"clusterIP": "None"}), Ok(("RequireDualStack", vec!["IPv4", "IPv6"], 1))),
        (&[V4], json!({"clusterIP": "None", "selector": {"a": "b"}}), Ok(("SingleStack", vec!["IPv4"], 1))),
        (
            &[V4],
            json!({"clusterIP": "None", "selector": {"a": "b"}, "ipFamilyPolicy": "PreferDualStack"}),
            Ok(("PreferDualStack", vec!["IPv4"], 1)),
        ),
        (
            &[V4],
            json!({"clusterIP": "None", "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]}),
            Ok(("SingleStack", vec!["IPv6"], 1)),
        ),
        (&[V6], json!({}), Ok(("SingleStack", vec!["IPv6"], 1))),
        (&[V4, V6], json!({}), Ok(("SingleStack", vec!["IPv4"], 1))),
        (&[V6, V4], json!({}), Ok(("SingleStack", vec!["IPv6"], 1))),
        (&[V4, V6], json!({"ipFamilyPolicy": "PreferDualStack"}), Ok(("PreferDualStack", vec!["IPv4", "IPv6"], 2))),
        (
            &[V4, V6],
            json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}),
            Ok(("RequireDualStack", vec!["IPv6", "IPv4"], 2)),
        ),
        (&[V4, V6], json!({"clusterIP": "2000::1"}), Ok(("SingleStack", vec!["IPv6"], 1))),
        (
            &[V4, V6],
            json!({"ipFamilies": ["IPv4", "IPv6"]}),
            Err(
                "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
            ),
        ),
        (
            &[V4, V6],
            json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "2000::1"]}),
            Err(
                "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
            ),
        ),
    ];
    for (ranges, fields, expected) in rows {
        let result = create(ranges, fields.clone());
        let expected = expected.map_err(|why| format!("Service \"a\" is invalid: {why}"));
        assert_eq!(result.as_ref().map(families).map_err(Clone::clone), expected, "{ranges:?} {fields}");
    }
}

#[test]
fn addresses_are_drawn_from_the_upper_band() {
    let mut held = cluster(&["10.0.0.0/27"]);
    let mut given = std::collections::BTreeSet::new();
    for n in 0..30 {
        let mut fields = spec(json!({}));
        held.allocate_in(&key(&format!("s{n}")), &mut fields, None).expect("there is room");
        let last: u64 = fields.text("clusterIP").rsplit('.').next().unwrap().parse().unwrap();
        assert_eq!(last > 16, n < 14, "10.0.0.{last} is number {n}");
        assert!(given.insert(last));
        held.follow(None, Some(&stored(&fields)));
    }
    assert_eq!(
        allocate(&held, spec(json!({})), None).unwrap_err(),
        "Internal error occurred: failed to allocate a serviceIP for Service \"a\": range is full"
    );
}

/// `TestCreateInvalidClusterIPInputs`, `TestCreateDeleteReuse`.
#[test]
fn an_address_that_is_asked_for_must_be_free_and_in_the_range() {
    let mut held = cluster(&["10.0.0.0/16"]);
    let asked = |ip: &str| spec(json!({"clusterIP": ip}));
    let first = allocate(&held, asked("10.0.0.10"), None).expect("it is free");
    held.follow(None, Some(&stored(&first)));
    let refusal = |held: &ServiceAllocations, ip: &str| {
        let message = allocate(held, asked(ip), None).expect_err("refused");
        let [start, end] = [
            format!("Service \"a\" is invalid: spec.clusterIPs: Invalid value: [\"{ip}\"]: "),
            format!("failed to allocate IP {ip}: "),
        ];
        message.strip_prefix(&*start).and_then(|rest| rest.strip_prefix(&*end)).map_or(message.clone(), str::to_owned)
    };
    assert_eq!(refusal(&held, "10.0.0.10"), "provided IP is already allocated");
    for outside in ["10.1.0.1", "10.0.0.0", "10.0.255.255"] {
        assert_eq!(refusal(&held, outside), "the provided network does not match the current range");
    }
    assert_eq!(
        refusal(&held, "10.0.0.x"),
        "Service \"a\" is invalid: spec.clusterIPs[0]: Invalid value: \"10.0.0.x\": \
         must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    );
    held.follow(Some(&stored(&first)), None);
    assert!(allocate(&held, asked("10.0.0.10"), None).is_ok());
}

/// `TestCreateInitNodePorts`.
#[test]
fn new_services_get_their_node_ports() {
    let port = |number: u16, protocol: &str, node_port: u16| json!({"name": format!("p{number}{protocol}").to_lowercase(), "port": number, "protocol": protocol, "nodePort": node_port});
    let ports = |kind: &str, allocate: Option<bool>, ports: &[(u16, &str, u16)]| {
        let ports: Vec<Value> = ports.iter().map(|(number, protocol, node)| port(*number, protocol, *node)).collect();
        let mut fields = json!({"type": kind, "ports": ports});
        if let Some(allocate) = allocate {
            fields["allocateLoadBalancerNodePorts"] = allocate.into();
        }
        create(&[V4], fields).map(|spec| node_ports(&spec))
    };
    let taken = "provided port is already allocated";
    let refused = |index: usize, port: u16, why: &str| {
        Err(format!("Service \"a\" is invalid: spec.ports[{index}].nodePort: Invalid value: {port}: {why}"))
    };
    for kind in ["NodePort", "LoadBalancer"] {
        let two = ports(kind, None, &[(80, "TCP", 0), (443, "TCP", 0)]).expect("there is room");
        assert!(two[0] != two[1] && two.iter().all(|port| (30_086..=32_767).contains(port)), "{two:?}");
        let dns = ports(kind, None, &[(53, "TCP", 0), (53, "UDP", 0)]).expect("there is room");
        assert_eq!(dns[0], dns[1]);
        assert_eq!(ports(kind, None, &[(53, "TCP", 30_053), (53, "UDP", 30_053)]), Ok(vec![30_053; 2]));
        assert_eq!(ports(kind, None, &[(53, "TCP", 30_053), (53, "UDP", 30_054)]), Ok(vec![30_053, 30_054]));
        assert_eq!(ports(kind, None, &[(53, "TCP", 0), (53, "UDP", 30_053)]), Ok(vec![30_053; 2]));
        assert_eq!(ports(kind, None, &[(80, "TCP", 30_080), (443, "TCP", 30_080)]), refused(1, 30_080, taken));
        assert_eq!(ports(kind, None, &[(93, "TCP", 30_093), (76, "UDP", 30_093)]), refused(1, 30_093, taken));
    }
    let range = "provided port is not in the valid range. The range of valid ports is 30000-32767";
    assert_eq!(ports("NodePort", None, &[(80, "TCP", 80)]), refused(0, 80, range));
    assert_eq!(ports("LoadBalancer", Some(false), &[(80, "TCP", 0), (81, "TCP", 30_081)]), Ok(vec![0, 30_081]));
    assert_eq!(ports("ClusterIP", None, &[(80, "TCP", 0)]), Ok(vec![0]));
}

/// `TestUpdatePatchAllocatedValues`.
#[test]
fn an_update_keeps_what_it_does_not_mention() {
    let balancer = |ports: [u16; 2], check: u16| {
        json!({
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": check,
            "ports": [{"name": "p", "port": 867, "nodePort": ports[0]}, {"name": "q", "port": 309, "nodePort": ports[1]}],
        })
    };
    let updated = |ports: [u16; 2], check: u16| {
        let new = update(&[V4], balancer([30_093, 30_076], 30_118), balancer(ports, check))?;
        Ok::<_, String>((node_ports(&new), new.int("healthCheckNodePort")))
    };
    assert_eq!(updated([0, 0], 0), Ok((vec![30_093, 30_076], 30_118)));
    assert_eq!(updated([30_093, 0], 0), Ok((vec![30_093, 30_076], 30_118)));
    assert_eq!(updated([30_076, 30_093], 0), Ok((vec![30_076, 30_093], 30_118)));
    let (ports, _) = updated([30_076, 0], 0).expect("there is room");
    assert!(ports[0] == 30_076 && ports[1] >= 30_086 && ports[1] != 30_093, "{ports:?}");
    assert_eq!(
        updated([30_118, 0], 0).unwrap_err(),
        "Service \"a\" is invalid: spec.ports[0].nodePort: Invalid value: 30118: provided port is already allocated"
    );
    assert_eq!(updated([30_093, 30_093], 0).unwrap_err(), "duplicate nodePort: {TCP 30093}");
    let same = update(&[V4], json!({"clusterIP": "10.0.0.9"}), json!({"ports": [{"port": 1}]})).unwrap();
    assert_eq!((same.text("clusterIP"), same.texts("clusterIPs")), ("10.0.0.9", vec!["10.0.0.9"]));
}

/// `TestFeatureType`, `TestFeatureExternalTrafficPolicy`.
#[test]
fn a_change_of_type_takes_what_the_new_type_needs() {
    let ports = json!([{"port": 80}]);
    let alias = json!({"type": "ExternalName", "externalName": "example.com"});
    let new = update(&[V4], alias.clone(), json!({"type": "NodePort", "ports": ports})).unwrap();
    assert!(new.text("clusterIP").starts_with("10.0.") && node_ports(&new)[0] >= 30_086);
    let new = update(&[V4], json!({"ports": ports}), json!({"type": "LoadBalancer", "ports": ports})).unwrap();
    assert!(node_ports(&new)[0] >= 30_086 && !new.has("healthCheckNodePort"));
    let local = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": ports});
    let new = update(&[V4], json!({"type": "LoadBalancer", "ports": ports}), local.clone()).unwrap();
    assert!(new.int("healthCheckNodePort") >= 30_086);
    let mut asked = local;
    asked["healthCheckNodePort"] = 80.into();
    assert!(
        create(&[V4], asked).unwrap_err().starts_with(
            "Internal error occurred: failed to allocate requested HealthCheck NodePort 80: provided port"
        )
    );
    let headless = json!({"clusterIP": "None", "selector": {"a": "b"}});
    assert_eq!(update(&[V4], headless, alias).unwrap().text("clusterIP"), "");
}

/// `TestUpdateIPsFromSingleStack`, `TestUpdateIPsFromDualStack`.
#[test]
fn a_second_family_comes_and_goes_with_the_policy() {
    let both = [V4, V6];
    let up = update(&both, json!({}), json!({"ipFamilyPolicy": "RequireDualStack"})).unwrap();
    assert_eq!(families(&up), ("RequireDualStack", vec!["IPv4", "IPv6"], 2));
    let dual = json!({"ipFamilyPolicy": "RequireDualStack"});
    let down = update(&both, dual.clone(), json!({"ipFamilyPolicy": "SingleStack"})).unwrap();
    assert_eq!(families(&down), ("SingleStack", vec!["IPv4"], 1));
    let kept = update(&both, dual.clone(), json!({})).unwrap();
    assert_eq!(families(&kept), ("RequireDualStack", vec!["IPv4", "IPv6"], 2));
    let fewer = update(&both, dual, json!({"ipFamilies": ["IPv4"]})).unwrap_err();
    assert_eq!(
        fewer,
        "Service \"a\" is invalid: spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": \
         must be 'SingleStack' to release the secondary IP family"
    );
    let same = json!({"ipFamilyPolicy": "PreferDualStack"});
    let old = create(&[V4], same.clone()).unwrap();
    let kept = allocate(&cluster(&both), spec(same), Some(&old)).map(|spec| spec.texts("ipFamilies").len());
    assert_eq!(kept, Ok(2), "families are named anew, since the update left them out");
    let named = json!({"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4"]});
    let kept = allocate(&cluster(&both), spec(named), Some(&old)).map(|spec| spec.texts("ipFamilies").len());
    assert_eq!(kept, Ok(1), "the preference alone upgrades nothing");
}

#[test]
fn luck_depends_on_the_name_alone() {
    let address = |held: &ServiceAllocations, name: &str| {
        let mut fields = spec(json!({"type": "NodePort", "ports": [{"port": 80}]}));
        held.allocate_in(&key(name), &mut fields, None).expect("there is room");
        fields
    };
    let mut held = cluster(&[V4]);
    let alone = address(&held, "a");
    let other = address(&held, "b");
    assert_ne!(alone.text("clusterIP"), other.text("clusterIP"));
    held.follow(
        None,
        Some(&Service::from_wire(json!({"metadata": {"name": "b", "namespace": "default"}, "spec": other})).unwrap()),
    );
    assert_eq!(address(&held, "a"), alone);
    held.follow(None, Some(&stored(&alone)));
    held.follow(Some(&stored(&alone)), None);
    assert_ne!(
        address(&held, "a").text("clusterIP"),
        alone.text("clusterIP"),
        "the second of a name has luck of its own"
    );
}
