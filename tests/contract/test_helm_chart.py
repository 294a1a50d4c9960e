"""The chart as Helm sees it: it lints, renders, refuses what it does not know, and changes only on purpose."""

import json
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from tests.contract.rendered_chart import (
    CHART,
    EXTERNAL_UPSTREAM,
    OWN_FILES,
    REQUIRED,
    VARIANTS,
    Values,
    laid_over,
    render,
    render_text,
    walk,
)

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# The oldest and the newest API that the validator knows.
KUBERNETES = "1.33", "1.37"
# Not part of Kubernetes: their schemas belong to the Prometheus Operator.
OPERATOR_KINDS = {"ServiceMonitor", "PrometheusRule"}


def variants() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())


@variants()
def test_every_variant_lints_without_a_warning(values: Values) -> None:
    report = helm_python.lint(CHART, laid_over(REQUIRED, values), strict=True)
    information = 1
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > information] == []


@variants()
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_follows_the_schema_of_kubernetes(values: Values, version: str) -> None:
    for item in render(values):
        if item["kind"] not in OPERATOR_KINDS:
            kubernetes_validate.validate(item, version, strict=True)


def test_the_validator_refuses_a_misspelt_field() -> None:
    broken = next(item for item in render({}) if item["kind"] == "Deployment")
    broken["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(broken, KUBERNETES[1], strict=True)


def test_the_default_render_is_the_one_on_record(snapshot: SnapshotAssertion) -> None:
    texts = {path: text for path, text in render_text(REQUIRED).items() if text.strip()}
    assert "".join(f"# {path}\n{texts[path].strip()}\n" for path in sorted(texts)) == snapshot


# What a user might write, and the path that the refusal has to name.
REFUSED: dict[str, tuple[Values, str]] = {
    "unknown at the top": ({"replicaCount": 3}, "replicaCount"),
    "unknown below": ({"gateway": {"replicaCount": 3}}, "/gateway"),
    "unknown setting": ({"config": {"max_revision": 1}}, "/config"),
    "setting out of range": ({"config": {"deadline_ms": 1}}, "/config/deadline_ms"),
    "setting of the wrong type": ({"config": {"release_line": "7"}}, "/config/release_line"),
    "setting that the chart owns": ({"config": {"upstream": "http://elsewhere/v1"}}, "/config"),
    "no replica": ({"gateway": {"replicas": 0}}, "/gateway/replicas"),
    "bad quantity": ({"gateway": {"resources": {"limits": {"memory": "2GB"}}}}, "/gateway/resources/limits/memory"),
    "bad secret name": ({"apiKeys": {"existingSecret": "My_Keys"}}, "/apiKeys/existingSecret"),
    "upstream without /v1": ({"upstream": {"url": "http://models"}}, "/upstream/url"),
    "password in the open": ({"redis": {"url": "redis://:secret@redis:6379/0"}}, "/redis/url"),
    "label that selects": ({"gateway": {"podLabels": {"app.kubernetes.io/name": "x"}}}, "/gateway/podLabels"),
    "vLLM as root": ({"vllm": {"runAsUser": 0}}, "/vllm/runAsUser"),
    "model outside its volume": ({"vllm": {"model": {"path": "/data/model"}}}, "/vllm/model/path"),
    "empty peer": ({"networkPolicy": {"clients": [{}]}}, "/networkPolicy/clients/0"),
    "volume of the node": (
        {"gateway": {"extraVolumes": [{"name": "node", "hostPath": {"path": "/"}}]}},
        "/gateway/extraVolumes/0",
    ),
    "volume that the pod has": (
        {"gateway": {"extraVolumes": [{"name": "ledger", "secret": {}}]}},
        "/gateway/extraVolumes/0/name",
    ),
    "mount that can be written": (
        {"gateway": {"extraVolumeMounts": [{"name": "a", "mountPath": "/a", "readOnly": False}]}},
        "/gateway/extraVolumeMounts/0",
    ),
    "mount over the ledger": (
        {"gateway": {"extraVolumeMounts": [{"name": "a", "mountPath": "/var/lib/clinalign"}]}},
        "/gateway/extraVolumeMounts/0/mountPath",
    ),
    "setting of the embedded model": ({"config": {"checkpoints_dir": "/checkpoints"}}, "/config"),
    "mutable digest": ({"image": {"digest": "latest"}}, "/image/digest"),
}


@pytest.mark.parametrize(("values", "path"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_value_is_refused_and_named(values: Values, path: str) -> None:
    with pytest.raises(helm_python.HelmValuesError, match=path):
        render(values)


# Values that are each well formed, and together cannot work; and what the message tells to do.
CONTRADICTIONS: dict[str, tuple[Values, str]] = {
    "no keys": ({"apiKeys": {"existingSecret": ""}}, "Make a Secret with the key 'api-keys'"),
    "no checkpoint": ({"vllm": {"model": {"existingClaim": ""}}}, "name the PersistentVolumeClaim"),
    "no upstream": ({"vllm": {"enabled": False}}, "give the address of the model server"),
    "two upstreams": ({"upstream": {"url": "http://models/v1"}}, "the gateway has one upstream"),
    "two redises": ({"redis": {"url": "redis://redis:6379/0"}}, "keep one"),
    "no shared state": ({"redis": {"existingSecret": ""}}, "2 gateways without shared state"),
    "no shared state at scale": (
        {"redis": {"existingSecret": ""}, "gateway": {"replicas": 1}, "autoscaling": {"enabled": True}},
        "8 gateways without shared state",
    ),
    "scaling upside down": (
        {"autoscaling": {"enabled": True, "minReplicas": 9}},
        "autoscaling.minReplicas is greater",
    ),
    "valkey without a password": (
        {"redis": {"existingSecret": ""}, "valkey": {"enabled": True}},
        "Secret with the key 'valkey-password'",
    ),
    "redis nowhere": ({"networkPolicy": {"redis": {"to": []}}}, "say where Redis is"),
    "upstream nowhere": (
        laid_over(EXTERNAL_UPSTREAM, {"networkPolicy": {"upstream": {"to": []}}}),
        "say where upstream.url leads",
    ),
    "judge nowhere": ({"config": {"judge_upstream": "https://judge/v1"}}, "say where config.judge_upstream leads"),
    "calibration on no volume": ({"config": {"judge_calibration": "/c.json"}}, "config names /c.json, which is on no"),
    "judge beside a volume": (
        laid_over(OWN_FILES, {"config": {"small_judge_dir": "/opt/hospital2/judge"}}),
        "config names /opt/hospital2/judge",
    ),
    "judge above a volume": (
        laid_over(OWN_FILES, {"config": {"small_judge_dir": "/opt/hospital/../judge"}}),
        "which is on no volume",
    ),
    "mount of nothing": (
        {"gateway": {"extraVolumeMounts": [{"name": "hospital", "mountPath": "/opt/hospital"}]}},
        "names the volume 'hospital'",
    ),
    "ingress for every host": ({"ingress": {"enabled": True}}, "name the host"),
    "name that no service may have": ({"fullnameOverride": "7gate"}, "set fullnameOverride"),
    "gateway less patient than vLLM": ({"gateway": {"startup": {"budgetSeconds": 60}}}, "Raise it"),
    "drain shorter than a deadline": ({"config": {"deadline_ms": 300000}}, "gateway.drainSeconds=120 is shorter"),
}


@pytest.mark.parametrize(("values", "advice"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_values_that_cannot_work_together_say_what_to_do(values: Values, advice: str) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=advice):
        render(values)


def test_the_defaults_alone_do_not_render() -> None:
    with pytest.raises(helm_python.HelmRenderError, match="existingSecret"):
        render_text({})


def test_every_object_of_the_schema_is_closed() -> None:
    open_ones = [
        path
        for path, node in walk(SCHEMA)
        if isinstance(node, dict) and isinstance(node.get("properties"), dict) and node.get("type") == "object"
        if node.get("additionalProperties") is not False
    ]
    assert open_ones == []


def test_the_schema_and_the_documented_values_have_the_same_names() -> None:
    documented = yaml.safe_load((CHART / "values.yaml").read_text())

    def names(node: dict[str, Any], schema: dict[str, Any], path: str) -> list[str]:
        if "$ref" in schema:
            schema = SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[-1]]
        known = schema.get("properties")
        # Free maps, and settings, whose names test_helm_settings compares with the gateway's own.
        if known is None or path == ".config":
            return []
        apart = sorted(f"{path}.{name}" for name in node.keys() ^ (known.keys() - {"global"}))
        below = [names(node[key], known[key], f"{path}.{key}") for key in node if isinstance(node[key], dict)]
        return apart + [name for part in below for name in part]

    # `limits` of nothing but memory and the like are maps; a resources block may leave either half out.
    assert names(documented, SCHEMA, "") == []


@pytest.mark.parametrize("cluster_dependent", ["lookup", ".Capabilities", "randAlpha", "genCA", "now"])
def test_no_template_asks_the_cluster_or_the_clock(cluster_dependent: str) -> None:
    for template in CHART.joinpath("templates").iterdir():
        actions = [part.split("}}")[0] for part in template.read_text().split("{{")[1:]]
        code = [action for action in actions if not action.lstrip("- ").startswith("/*")]
        assert not any(cluster_dependent in action.split('"')[0].split() for action in code), template.name
