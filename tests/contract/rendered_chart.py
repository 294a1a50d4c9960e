"""Renders the Helm chart with Helm's own engine: values in, Kubernetes objects out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import helm_python
import yaml

CHART = Path(__file__).parents[2] / "helm" / "clinalign-gateway"
RELEASE, NAMESPACE = "demo", "care"
# Where the image holds it.
SMALL_JUDGE = "/opt/clinalign/judge"

Values: TypeAlias = dict[str, Any]
Object: TypeAlias = dict[str, Any]

REDIS_PEER = {"ipBlock": {"cidr": "10.0.0.5/32"}}
UPSTREAM_PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "models"}}}

# The least that renders, and what each variant lays over it.
REQUIRED: Values = {
    "apiKeys": {"existingSecret": "external-keys"},
    "vllm": {"model": {"existingClaim": "external-checkpoint"}},
    "redis": {"existingSecret": "external-redis"},
    "networkPolicy": {"redis": {"to": [REDIS_PEER]}},
}
EXTERNAL_UPSTREAM: Values = {
    "vllm": {"enabled": False},
    "upstream": {"url": "https://models.example.test/v1", "existingSecret": "external-upstream"},
    "networkPolicy": {"upstream": {"to": [UPSTREAM_PEER]}},
}
VALKEY: Values = {
    "redis": {"existingSecret": ""},
    "valkey": {"enabled": True, "existingSecret": "external-valkey"},
    "networkPolicy": {"redis": {"to": []}},
}
MONITORING: Values = {
    "monitoring": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True, "labels": {"team": "a"}}},
    "networkPolicy": {"vllmScrapers": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]},
}
# One volume of a hospital's own: its principles, the index that was built of them, and its judge's calibration.
OWN_FILES: Values = {
    "gateway": {
        "extraVolumes": [
            {"name": "hospital", "persistentVolumeClaim": {"claimName": "external-principles"}},
            {"name": "calibration", "configMap": {"name": "external-calibration"}},
        ],
        "extraVolumeMounts": [
            {"name": "hospital", "mountPath": "/opt/hospital"},
            {"name": "calibration", "mountPath": "/etc/hospital/calibration.json", "subPath": "calibration.json"},
        ],
        "extraEnv": [
            {"name": "CLINALIGN_PRINCIPLES_DIR", "value": "/opt/hospital/principles"},
            {"name": "CLINALIGN_INDEX_DIR", "value": "/opt/hospital/index"},
        ],
    },
    "config": {"judge_calibration": "/etc/hospital/calibration.json"},
}
SECOND_JUDGE: Values = {
    "config": {"judge_upstream": "https://judge.example.test/v1"},
    "networkPolicy": {"judge": {"to": [UPSTREAM_PEER], "port": 8443}},
}
VARIANTS: dict[str, Values] = {
    "required": {},
    "redis-url": {"redis": {"url": "redis://redis.data.svc:6379/0", "existingSecret": ""}},
    "one-gateway-no-redis": {"gateway": {"replicas": 1}, "redis": {"existingSecret": ""}},
    "valkey": VALKEY,
    "external-upstream": EXTERNAL_UPSTREAM,
    "ingress": {
        "ingress": {"enabled": True, "host": "chat.example.test", "className": "nginx", "tlsSecret": "external-tls"}
    },
    "hpa": {"autoscaling": {"enabled": True}},
    "no-network-policy": {"networkPolicy": {"enabled": False}},
    "monitoring": MONITORING,
    "monitoring-external-upstream": {**EXTERNAL_UPSTREAM, "monitoring": MONITORING["monitoring"]},
    "ledger-kept": {"audit": {"existingClaim": "external-ledger", "existingSecret": "external-audit"}},
    "placed": {
        "gateway": {
            "nodeSelector": {"pool": "web"},
            "tolerations": [{"key": "web", "operator": "Exists"}],
            "podLabels": {"team": "a"},
            "podAnnotations": {"note": "7"},
            "priorityClassName": "high",
            "extraEnv": [{"name": "CLINALIGN_LOG_LEVEL", "value": "DEBUG"}],
        },
        "vllm": {"runtimeClassName": "nvidia", "nodeSelector": {"gpu": "h100"}, "extraArgs": ["--dtype=bfloat16"]},
        "imagePullSecrets": [{"name": "external-pull"}],
        "image": {"repository": "example.test/clinalign-gateway", "digest": "sha256:" + "0" * 64},
    },
    "own-files": OWN_FILES,
    "small-judge": {"config": {"accept_judge": "small"}},
    "second-judge": SECOND_JUDGE,
    "configured": {
        "config": {
            "failure_policy": "fail_closed",
            "region": 'u"k',
            "upstream_timeout_s": 90.5,
            "demonstration": True,
            "chat_template_kwargs": {"enable_thinking": False, "budget": 7},
            "tenants": [{"name": "ward", "key_sha256": "0" * 64, "release_line": 5}, {"name": "lab"}],
        }
    },
}


def laid_over(base: Values, over: Values) -> Values:
    """`base` with `over` on top, key by key, as Helm merges two files of values."""
    both = {
        key: laid_over(base[key], over[key])
        for key in base.keys() & over.keys()
        if isinstance(base[key], dict) and isinstance(over[key], dict)
    }
    return {**base, **over, **both}


def render_text(values: Values) -> dict[str, str]:
    """Each template's text by path; raises `helm_python.HelmError` where Helm refuses."""
    with helm_python.Chart.load(CHART) as chart:
        return chart.render(values, name=RELEASE, namespace=NAMESPACE)


def render(values: Values) -> list[Object]:
    """Every object that the values over the required ones produce."""
    texts = render_text(laid_over(REQUIRED, values))
    manifests = (text for path, text in texts.items() if not path.endswith("NOTES.txt"))
    return [document for text in manifests for document in yaml.safe_load_all(text) if document]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """The objects of one kind."""
    return [item for item in objects if item["kind"] == kind]


def named(objects: list[Object], kind: str, suffix: str = "") -> Object:
    """The one object of a kind whose name is the release's and the suffix."""
    (found,) = (
        item for item in of_kind(objects, kind) if item["metadata"]["name"] == f"demo-clinalign-gateway{suffix}"
    )
    return found


def pod_of(deployment: Object) -> Object:
    """The pod's specification."""
    pod: Object = deployment["spec"]["template"]["spec"]
    return pod


def container_of(deployment: Object) -> Object:
    """The one container of a deployment's pod."""
    (container,) = pod_of(deployment)["containers"]
    assert isinstance(container, dict)
    return container


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every path and value below `node`, itself included."""
    yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from walk(child, f"{path}.{key}" if path else str(key))
