"""The chart and the programs it starts agree: settings, environment, arguments, grace, metrics."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from service.domain.answer import Outcome
from service.domain.verdict import Finding
from service.observability.metrics import Metrics
from service.settings import Settings, read_settings
from tests.contract.rendered_chart import (
    CHART,
    EXTERNAL_UPSTREAM,
    OWN_FILES,
    SECOND_JUDGE,
    SMALL_JUDGE,
    UPSTREAM_PEER,
    VALKEY,
    VARIANTS,
    Object,
    Values,
    container_of,
    laid_over,
    named,
    of_kind,
    pod_of,
    render,
)
from tests.needs import VLLM, needs, program
from tests.redis_server import free_port

ROOT = CHART.parents[1]
VLLM_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
SECRETS = {
    "CLINALIGN_API_KEYS": "ward:a-long-random-key",
    "CLINALIGN_REDIS_URL": "redis://:word@redis:6379/0",
    "CLINALIGN_UPSTREAM_KEY": "upstream-key",
    "CLINALIGN_AUDIT_KEY": "a-long-audit-key",
    "VALKEY_PASSWORD": "word",
    "POD_NAME": "demo-0",
}
# Settings that come from the environment, the image or another value of the chart.
MANAGED = {
    "host", "port", "api_keys", "upstream", "upstream_key", "model", "redis_url", "audit_path", "audit_key", "drain_s",
    "gguf", "principles_dir", "encoder_dir", "index_dir", "screen_dir", "encoder_precision", "judge_upstream_key",
    "checkpoints_dir", "embedded_context_tokens",  # of the embedded model, which no pod serves: each has an upstream
}  # fmt: skip
OWN = {volume["name"] for volume in OWN_FILES["gateway"]["extraVolumes"]}
LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "enum")
# What vLLM 0.32 exposes; older names match nothing.
VLLM_METRICS = {"vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"}


def environment_of(objects: list[Object]) -> dict[str, str]:
    """The gateway's environment as the kubelet would build it."""
    given: dict[str, str] = {}
    for variable in container_of(named(objects, "Deployment"))["env"]:
        name = variable["name"]
        value = variable.get("value", SECRETS.get(name, ""))
        given[name] = re.sub(r"\$\((\w+)\)", lambda match: given[match[1]], value)
    return given


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_the_gateway_accepts_what_the_chart_gives_it(
    values: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = render(values)
    toml = tmp_path / "clinalign.toml"
    toml.write_text(named(objects, "ConfigMap")["data"]["clinalign.toml"])
    given = environment_of(objects)
    for name in [name for name in os.environ if name.startswith("CLINALIGN_")]:
        monkeypatch.delenv(name)
    for name, value in {**given, "CLINALIGN_CONFIG": str(toml)}.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.host == "0.0.0.0"
    assert settings.has_keys
    assert str(settings.audit_path) == "/var/lib/clinalign/demo-0.jsonl"
    wanted = values.get("config", {})
    assert settings.model_dump(mode="json", include=wanted.keys(), exclude_unset=True) == wanted


@pytest.mark.parametrize(
    ("values", "place"),
    [
        pytest.param({}, None, id="not asked for"),
        pytest.param({"config": {"judge": "small"}}, SMALL_JUDGE, id="it guides"),
        pytest.param({"config": {"accept_judge": "small"}}, SMALL_JUDGE, id="it accepts"),
        pytest.param({"config": {"small_judge_dir": SMALL_JUDGE}}, SMALL_JUDGE, id="named"),
        pytest.param(
            laid_over(OWN_FILES, {"config": {"accept_judge": "small", "small_judge_dir": "/opt/hospital/judge"}}),
            "/opt/hospital/judge",
            id="another",
        ),
    ],
)
def test_the_small_judge_is_the_images_where_it_is_asked_for_and_no_other_is_named(
    values: Values, place: str | None
) -> None:
    written = tomllib.loads(named(render(values), "ConfigMap")["data"]["clinalign.toml"])
    assert written.get("small_judge_dir") == place


def test_files_of_a_hospital_are_mounted_read_only_where_the_settings_look_for_them() -> None:
    objects = render(OWN_FILES)
    container = container_of(named(objects, "Deployment"))
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["hospital"] == {"name": "hospital", "mountPath": "/opt/hospital", "readOnly": True}
    assert mounts["calibration"]["readOnly"] is True
    assert [volume for volume in pod_of(named(objects, "Deployment"))["volumes"] if volume["name"] in OWN] == (
        OWN_FILES["gateway"]["extraVolumes"]
    )
    environment = environment_of(objects)
    assert environment["CLINALIGN_PRINCIPLES_DIR"] == "/opt/hospital/principles"
    assert environment["CLINALIGN_INDEX_DIR"] == "/opt/hospital/index"


def test_a_second_judges_server_is_let_through_where_there_is_one() -> None:
    policy = named(render(SECOND_JUDGE), "NetworkPolicy")
    wanted = {"to": [UPSTREAM_PEER], "ports": [{"port": 8443, "protocol": "TCP"}]}
    assert wanted in policy["spec"]["egress"]
    assert wanted not in named(render({}), "NetworkPolicy")["spec"]["egress"]


def test_every_variable_of_the_gateway_is_a_setting() -> None:
    known = {f"CLINALIGN_{name.upper()}" for name in Settings.model_fields} | {"CLINALIGN_CONFIG"}
    for values in VARIANTS.values():
        ours = {name for name in environment_of(render(values)) if name.startswith("CLINALIGN_")}
        assert ours <= known


def limits_of(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A setting's limits, whichever way pydantic or the chart spells them."""
    if "$ref" in schema:
        return limits_of(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    for option in schema.get("anyOf", []):
        if option.get("type") != "null":
            return limits_of(option, definitions)
    return {name: schema[name] for name in LIMITS if name in schema}


def test_the_chart_takes_the_settings_of_the_gateway_with_their_limits() -> None:
    chart = json.loads((CHART / "values.schema.json").read_text())
    gateway = Settings.model_json_schema()
    ours, theirs = chart["properties"]["config"]["properties"], gateway["properties"]
    assert ours.keys() == theirs.keys() - MANAGED, (
        "service/settings.py changed: bring config in values.schema.json along"
    )
    for name in ours:
        assert limits_of(ours[name], {}) == limits_of(theirs[name], gateway["$defs"]), name
    tenant, wanted = ours["tenants"]["items"]["properties"], gateway["$defs"]["TenantSettings"]["properties"]
    assert {name: limits_of(tenant[name], {}) for name in tenant} == {
        name: limits_of(wanted[name], gateway["$defs"]) for name in wanted
    }


def test_a_pod_is_given_longer_than_it_takes_to_leave() -> None:
    objects = render(VALKEY)
    drain = tomllib.loads(named(objects, "ConfigMap")["data"]["clinalign.toml"])["drain_s"]
    (shutdown,) = (a for a in container_of(named(objects, "Deployment", "-vllm"))["args"] if "shutdown-timeout" in a)
    for suffix, drains in (("", drain), ("-vllm", int(shutdown.split("=")[1]))):
        deployment = named(objects, "Deployment", suffix)
        pre_stop = container_of(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod_of(deployment)["terminationGracePeriodSeconds"] > pre_stop + drains


@pytest.mark.parametrize(
    ("values", "upstream"),
    [
        pytest.param({}, "http://demo-clinalign-gateway-vllm:8000/v1", id="own vLLM"),
        pytest.param(EXTERNAL_UPSTREAM, "https://models.example.test/v1", id="external"),
    ],
)
def test_the_upstream_is_the_service_that_the_chart_made_or_the_one_it_was_given(values: Values, upstream: str) -> None:
    objects = render(values)
    assert environment_of(objects)["CLINALIGN_UPSTREAM"] == upstream
    own = {
        f"http://{service['metadata']['name']}:{port['port']}/v1"
        for service in of_kind(objects, "Service")
        for port in service["spec"]["ports"]
    }
    assert (upstream in own) is (values == {})


def test_valkey_is_reached_with_the_password_it_asks_for() -> None:
    objects = render(VALKEY)
    assert environment_of(objects)["CLINALIGN_REDIS_URL"] == "redis://:word@demo-clinalign-gateway-valkey:6379/0"
    assert "requirepass $VALKEY_PASSWORD" in container_of(named(objects, "Deployment", "-valkey"))["command"][-1]


@pytest.mark.redis
def test_the_trial_valkey_starts_from_its_script_and_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    script = container_of(named(render(VALKEY), "Deployment", "-valkey"))["command"][-1]
    port = free_port()
    # Valkey's parent reads the same configuration; the port is ours.
    ours = script.replace("valkey-server", program("redis-server")).replace("<<CONF\n", f"<<CONF\nport {port}\n")
    environment = {"VALKEY_PASSWORD": "word"}
    with subprocess.Popen(["sh", "-c", ours], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            with redis.Redis(port=port, password="word", retry=Retry(ConstantBackoff(0.05), 100)) as client:
                assert client.ping()
                assert client.config_get("maxmemory")["maxmemory"] == str(256 * 2**20)
            with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
        finally:
            server.terminate()


def test_alerts_ask_for_metrics_that_exist() -> None:
    (rule,) = of_kind(render(VARIANTS["monitoring"]), "PrometheusRule")
    expressions = " ".join(alert["expr"] for group in rule["spec"]["groups"] for alert in group["rules"])
    exposed = {sample for family in Metrics().registry.collect() for sample in (family.name, f"{family.name}_total")}
    asked = set(re.findall(r"\b(?:clinalign|vllm:)\w+", expressions)) - {"clinalign"}
    assert "clinalign_outcomes_total" in asked
    assert asked - {name for name in asked if name.startswith("vllm:")} <= exposed
    assert {name for name in asked if name.startswith("vllm:")} == VLLM_METRICS
    labels = dict(re.findall(r'(outcome|finding)!?="(\w+)"', expressions))
    assert labels == {"outcome": Outcome.RELEASED, "finding": Finding.UNKNOWN}


def test_no_alert_on_vllm_where_the_chart_runs_none() -> None:
    (rule,) = of_kind(render(VARIANTS["monitoring-external-upstream"]), "PrometheusRule")
    assert "vllm:" not in json.dumps(rule)


PARSE = """
import sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
print(make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:]).shutdown_timeout)
"""


@pytest.mark.vllm
@needs(VLLM_PYTHON.exists(), f"no .venv-vllm: {VLLM}")
def test_vllm_knows_every_argument_that_the_chart_gives_it() -> None:
    arguments = container_of(named(render({}), "Deployment", "-vllm"))["args"]
    model, flags = arguments[0], arguments[1:]
    ran = subprocess.run(
        [VLLM_PYTHON, "-c", PARSE, f"--model={model}", *flags], capture_output=True, text=True, timeout=110, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.split()[-1] == "120"
