//! The Service by which pods find the API server, with its endpoints (upstream
//! `pkg/controlplane/controller/kubernetesservice` and `pkg/controlplane/reconcilers`).

use serde_json::{Value, json};

use super::error::SimError;
use super::simulation::Simulation;

/// The first address of the range of Services.
const CLUSTER_IP: &str = "10.96.0.1";
/// Where the API server listens, however many of them there are: in the network of the machines, which begin behind it.
const API_SERVER: &str = "172.16.0.1";
const API_SERVER_PORT: u16 = 6443;

impl Simulation {
    /// Creates Service, Endpoints and EndpointSlice, as an API server does when it starts.
    pub(super) fn create_kubernetes_service(&mut self) -> Result<(), SimError> {
        let now = self.wall();
        for document in documents() {
            self.server.create_document(now, document)?;
        }
        self.publish();
        Ok(())
    }
}

fn documents() -> [Value; 3] {
    let port = json!({"name": "https", "port": API_SERVER_PORT, "protocol": "TCP"});
    let meta = |labels: Value| json!({"name": "kubernetes", "namespace": "default", "labels": labels});
    [
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": meta(json!({"component": "apiserver", "provider": "kubernetes"})),
            "spec": {
                "type": "ClusterIP", "clusterIP": CLUSTER_IP, "sessionAffinity": "None", "ipFamilyPolicy": "SingleStack",
                "ports": [{"name": "https", "port": 443, "targetPort": API_SERVER_PORT, "protocol": "TCP"}],
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": meta(json!({"endpointslice.kubernetes.io/skip-mirror": "true"})),
            "subsets": [{"addresses": [{"ip": API_SERVER}], "ports": [port]}],
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": meta(json!({"kubernetes.io/service-name": "kubernetes"})),
            "addressType": "IPv4", "ports": [port],
            "endpoints": [{"addresses": [API_SERVER], "conditions": {"ready": true}}],
        }),
    ]
}

#[cfg(test)]
mod tests {
    use crate::kernel::SimDuration;
    use crate::objects::Kind;
    use crate::sim::{Delays, Simulation};

    fn started(kubernetes: bool) -> Simulation {
        let builder = Simulation::builder().delays(Delays::ideal()).nodes(1).kubernetes_service(kubernetes);
        let mut sim = builder.build().expect("a cluster");
        let manifests = "
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {enableServiceLinks: false, containers: [{name: c, image: i}]}}";
        sim.apply(&manifests.replace("            ", "")).expect("applied");
        sim.run_for(SimDuration::from_secs(600));
        sim
    }

    #[test]
    fn every_pod_is_told_of_the_api_server() {
        let env = |sim: &Simulation| -> Vec<String> {
            let pod = sim.view().pods.iter().next().expect("the pod");
            let env = sim.container_env(pod, "c").expect("an environment");
            env.iter().map(|variable| format!("{}={}", variable.name, variable.value)).collect()
        };
        assert_eq!(env(&started(false)), Vec::<String>::new());
        assert_eq!(
            env(&started(true)),
            [
                "KUBERNETES_PORT=tcp://10.96.0.1:443",
                "KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443",
                "KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1",
                "KUBERNETES_PORT_443_TCP_PORT=443",
                "KUBERNETES_PORT_443_TCP_PROTO=tcp",
                "KUBERNETES_SERVICE_HOST=10.96.0.1",
                "KUBERNETES_SERVICE_PORT=443",
                "KUBERNETES_SERVICE_PORT_HTTPS=443",
            ]
        );
    }

    #[test]
    fn nobody_changes_its_endpoints_and_no_other_service_gets_its_address() {
        let sim = started(true);
        for kind in [Kind::EndpointSlice, Kind::Endpoints] {
            let wire =
                sim.get(&format!("{}/kubernetes", kind.plural()).parse().expect("a target")).expect("it is there");
            let text = wire.to_wire().to_string();
            assert!(text.contains("172.16.0.1") && text.contains("6443"), "{text}");
        }
        // The mirroring controller has made no second slice of the Endpoints.
        assert_eq!(sim.view().endpoint_slices.iter().filter(|slice| slice.service() == Some("kubernetes")).count(), 1);
        let web = sim.get(&"service/web".parse().expect("a target")).expect("the other one");
        assert_ne!(web.to_wire()["spec"]["clusterIP"], "10.96.0.1");
    }
}
