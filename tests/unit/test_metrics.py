"""The names that dashboards and alerts rely on, and labels that take no text of a person's."""

from prometheus_client.parser import text_string_to_metric_families

from service.observability.metrics import Metrics

# Nothing here may name a request, a tenant or a person: each value makes a series of its own, and all can read them.
_LABELS = {
    "requests": {"route", "status"},
    "request_seconds": {"route"},
    "outcomes": {"outcome", "reason"},
    "stage_seconds": {"stage"},
    "verdicts": {"dimension", "finding"},
    "revisions": {"style", "accepted", "reason"},
    "tokens": {"stage", "kind"},
    "red_flags": {"family"},
    "running": set(),
    "waiting": set(),
    "cache": {"result"},
    "state_down": set(),
    "state_failures": {"store"},
}


def test_the_exposition_names_every_metric_and_is_readable() -> None:
    families = {family.name: family for family in text_string_to_metric_families(Metrics().exposition().decode())}
    assert {name.removeprefix("clinalign_") for name in families} == set(_LABELS)
    assert all(name.startswith("clinalign_") and family.documentation for name, family in families.items())


def test_labels_are_the_closed_sets_they_are_said_to_be() -> None:
    metrics = Metrics()
    assert {name: set(getattr(metrics, name)._labelnames) for name in _LABELS} == _LABELS


def test_what_is_counted_is_exposed_with_its_labels() -> None:
    metrics = Metrics()
    metrics.outcomes.labels("withheld", "judge_failed").inc()
    metrics.stage_seconds.labels("draft").observe(0.3)
    said = metrics.exposition().decode()
    assert 'clinalign_outcomes_total{outcome="withheld",reason="judge_failed"} 1.0' in said
    assert 'clinalign_stage_seconds_bucket{le="0.25",stage="draft"} 0.0' in said
    assert 'clinalign_stage_seconds_bucket{le="0.5",stage="draft"} 1.0' in said


def test_two_gateways_in_a_process_do_not_count_together() -> None:
    one, other = Metrics(), Metrics()
    one.red_flags.labels("stroke").inc()
    assert b"stroke" in one.exposition()
    assert b"stroke" not in other.exposition()
