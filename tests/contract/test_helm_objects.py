"""What the API schemas miss in the rendered objects: names, selectors, quantities, references, who talks to whom."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.rendered_chart import (
    EXTERNAL_UPSTREAM,
    REDIS_PEER,
    UPSTREAM_PEER,
    VALKEY,
    VARIANTS,
    Object,
    Values,
    container_of,
    named,
    of_kind,
    pod_of,
    render,
    walk,
)

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[kMGTPE]i?)?")
SCALE = {"": Decimal(1), "m": Decimal("0.001"), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9}
BINARY_SCALE = {"Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40}


def amount(quantity: str) -> Decimal:
    match = QUANTITY.fullmatch(quantity)
    assert match, f"not a quantity: {quantity}"
    return Decimal(match[1]) * {**SCALE, **BINARY_SCALE}[match[2] or ""]


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def selected(objects: list[Object], selector: dict[str, str]) -> list[Object]:
    deployments = of_kind(objects, "Deployment")
    return [item for item in deployments if selects(selector, item["spec"]["template"]["metadata"]["labels"])]


def ports_of(deployment: Object) -> set[str | int]:
    ports = container_of(deployment)["ports"]
    return {port["name"] for port in ports} | {port["containerPort"] for port in ports}


@pytest.fixture(params=VARIANTS.values(), ids=list(VARIANTS))
def objects(request: pytest.FixtureRequest) -> list[Object]:
    values: Values = request.param
    return render(values)


def test_names_are_dns_labels_and_nothing_is_named_twice(objects: list[Object]) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(names) == len(set(names))
    assert [name for _, name in names if not DNS_LABEL.fullmatch(name)] == []


def test_no_object_names_a_namespace(objects: list[Object]) -> None:
    assert [item["kind"] for item in objects if "namespace" in item["metadata"]] == []


def test_every_deployment_selects_its_own_pods_alone(objects: list[Object]) -> None:
    for deployment in of_kind(objects, "Deployment"):
        assert selected(objects, deployment["spec"]["selector"]["matchLabels"]) == [deployment]


def test_every_service_leads_to_a_port_of_one_deployment(objects: list[Object]) -> None:
    for service in of_kind(objects, "Service"):
        (deployment,) = selected(objects, service["spec"]["selector"])
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports_of(deployment)


def test_every_policy_guards_one_deployment_and_names_ports_it_has(objects: list[Object]) -> None:
    for policy in of_kind(objects, "NetworkPolicy"):
        (deployment,) = selected(objects, policy["spec"]["podSelector"]["matchLabels"])
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        inward = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        assert inward <= ports_of(deployment)


def test_every_policy_between_pods_leads_to_a_pod_and_its_port(objects: list[Object]) -> None:
    for policy in of_kind(objects, "NetworkPolicy"):
        for rule in policy["spec"]["egress"]:
            for peer in rule["to"]:
                if "podSelector" in peer:
                    (deployment,) = selected(objects, peer["podSelector"]["matchLabels"])
                    assert {port["port"] for port in rule["ports"]} <= ports_of(deployment)


def test_scaling_disruption_and_spread_refer_to_the_gateway(objects: list[Object]) -> None:
    gateway = named(objects, "Deployment")
    for budget in of_kind(objects, "PodDisruptionBudget"):
        assert selected(objects, budget["spec"]["selector"]["matchLabels"]) == [gateway]
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] == gateway["metadata"]["name"]
        assert "replicas" not in gateway["spec"]
    for spread in pod_of(gateway)["topologySpreadConstraints"]:
        assert selected(objects, spread["labelSelector"]["matchLabels"]) == [gateway]


def test_every_monitor_finds_one_service_with_its_port(objects: list[Object]) -> None:
    for monitor in of_kind(objects, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        (service,) = (s for s in of_kind(objects, "Service") if selects(selector, s["metadata"]["labels"]))
        names = {port["name"] for port in service["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= names


def test_every_ingress_leads_to_a_service_and_its_port(objects: list[Object]) -> None:
    for ingress in of_kind(objects, "Ingress"):
        (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
        backend = path["backend"]["service"]
        service = named(objects, "Service")
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


def test_quantities_parse_and_requests_stay_below_limits(objects: list[Object]) -> None:
    for deployment in of_kind(objects, "Deployment"):
        resources = container_of(deployment)["resources"]
        for name, request in resources["requests"].items():
            assert amount(request) <= amount(resources["limits"].get(name, request))
        for volume in pod_of(deployment)["volumes"]:
            if "emptyDir" in volume:
                assert amount(volume["emptyDir"]["sizeLimit"]) > 0


def test_every_probe_asks_a_port_that_is_open(objects: list[Object]) -> None:
    for deployment in of_kind(objects, "Deployment"):
        container = container_of(deployment)
        probes = [container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe") if name in container]
        asked = {(probe.get("httpGet") or probe["tcpSocket"])["port"] for probe in probes}
        assert asked <= ports_of(deployment)


def test_every_mount_has_its_volume_and_every_volume_its_mount(objects: list[Object]) -> None:
    for deployment in of_kind(objects, "Deployment"):
        volumes = [volume["name"] for volume in pod_of(deployment)["volumes"]]
        assert sorted(volumes) == sorted(mount["name"] for mount in container_of(deployment)["volumeMounts"])


def references(node: Any) -> Iterator[tuple[str, str]]:
    for path, value in walk(node):
        match path.rsplit(".", 1)[-1], value:
            case ("secretKeyRef", {"name": name}):
                yield "Secret", name
            case ("configMap", {"name": name}):
                yield "ConfigMap", name
            case ("persistentVolumeClaim", {"claimName": name}):
                yield "PersistentVolumeClaim", name
            case ("secretName", name):
                yield "Secret", name
            case ("serviceAccountName", name):
                yield "ServiceAccount", name


def test_every_reference_resolves_or_is_declared_external(objects: list[Object]) -> None:
    made = {(item["kind"], item["metadata"]["name"]) for item in objects}
    dangling = [ref for item in objects for ref in references(item) if ref not in made]
    assert [name for _, name in dangling if not name.startswith("external-")] == []


def test_pods_keep_the_restricted_standard(objects: list[Object]) -> None:
    for deployment in of_kind(objects, "Deployment"):
        pod, container = pod_of(deployment), container_of(deployment)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not any("hostPath" in volume for volume in pod["volumes"])


def test_no_pod_carries_a_token_or_service_variables(objects: list[Object]) -> None:
    # A Service called "clinalign" would otherwise set CLINALIGN_PORT to an address.
    assert named(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    for deployment in of_kind(objects, "Deployment"):
        assert pod_of(deployment)["automountServiceAccountToken"] is False
        assert pod_of(deployment)["enableServiceLinks"] is False


def test_images_are_pinned_by_a_tag_or_a_digest(objects: list[Object]) -> None:
    for deployment in of_kind(objects, "Deployment"):
        image = container_of(deployment)["image"]
        assert re.search(r"(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$", image), image


def test_the_chart_holds_no_secret(objects: list[Object]) -> None:
    assert of_kind(objects, "Secret") == []
    for deployment in of_kind(objects, "Deployment"):
        for variable in container_of(deployment)["env"]:
            if re.search(r"KEY|PASSWORD|TOKEN", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"], variable["name"]


def egress_of(objects: list[Object]) -> list[tuple[list[Object], set[int]]]:
    rules = named(objects, "NetworkPolicy")["spec"]["egress"]
    return [(rule["to"], {port["port"] for port in rule["ports"]}) for rule in rules]


def component(name: str) -> Object:
    labels = {"name": "clinalign-gateway", "instance": "demo", "component": name}
    return {"podSelector": {"matchLabels": {f"app.kubernetes.io/{key}": value for key, value in labels.items()}}}


DNS_PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}


@pytest.mark.parametrize(
    ("values", "upstream", "redis"),
    [
        pytest.param({}, ([component("vllm")], {8000}), ([REDIS_PEER], {6379}), id="vllm and redis"),
        pytest.param(VALKEY, ([component("vllm")], {8000}), ([component("valkey")], {6379}), id="valkey"),
        pytest.param(EXTERNAL_UPSTREAM, ([UPSTREAM_PEER], {443}), ([REDIS_PEER], {6379}), id="external upstream"),
    ],
)
def test_the_gateway_reaches_dns_its_model_and_its_state_alone(values: Values, upstream: Any, redis: Any) -> None:
    assert egress_of(render(values)) == [([DNS_PEER], {53}), upstream, redis]


@pytest.mark.parametrize("suffix", ["-vllm", "-valkey"])
def test_what_stands_behind_the_gateway_accepts_the_gateway_alone_and_calls_nobody(suffix: str) -> None:
    policy = named(render(VALKEY), "NetworkPolicy", suffix)["spec"]
    (rule,) = policy["ingress"]
    assert rule["from"] == [component("gateway")]
    assert policy["egress"] == []


def test_named_clients_are_the_only_ones_who_reach_the_gateway() -> None:
    clients = [{"podSelector": {"matchLabels": {"app": "chat"}}}]
    (rule,) = named(render({"networkPolicy": {"clients": clients}}), "NetworkPolicy")["spec"]["ingress"]
    assert rule["from"] == clients


def test_vllm_never_waits_for_a_second_gpu_and_has_shared_memory() -> None:
    deployment = named(render({"vllm": {"gpu": {"count": 4}}}), "Deployment", "-vllm")
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert container_of(deployment)["resources"]["limits"]["nvidia.com/gpu"] == "4"
    assert "--tensor-parallel-size=4" in container_of(deployment)["args"]
    (shared,) = (volume for volume in pod_of(deployment)["volumes"] if volume["name"] == "shm")
    assert shared["emptyDir"]["medium"] == "Memory"


def test_a_claimed_ledger_does_not_deadlock_a_rollout() -> None:
    strategy = named(render(VARIANTS["ledger-kept"]), "Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


@pytest.mark.parametrize(("suffix", "values"), [("", "gateway"), ("-vllm", "vllm")])
def test_the_startup_budget_is_a_value_and_is_met_in_full(suffix: str, values: str) -> None:
    given: Values = {"gateway": {"startup": {"budgetSeconds": 2101}}, "vllm": {"startup": {"budgetSeconds": 2101}}}
    probe = container_of(named(render(given), "Deployment", suffix))["startupProbe"]
    assert 0 <= probe["failureThreshold"] * probe["periodSeconds"] - 2101 < probe["periodSeconds"], values


def test_a_new_setting_restarts_the_gateway() -> None:
    annotations = [
        named(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for values in ({}, {}, {"config": {"region": "uk"}})
    ]
    assert annotations[0] == annotations[1] != annotations[2]
