"""What is counted and timed, for Prometheus. Labels are closed sets: no id, no text, no tenant's words."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_STAGE_BUCKETS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)


class Metrics:
    """One registry a gateway, so that two of them in a process (as in tests) do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "clinalign_requests", "HTTP requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.outcomes = Counter(
            "clinalign_outcomes", "Answers by outcome and reason.", ["outcome", "reason"], registry=self.registry
        )
        self.stage_seconds = Histogram(
            "clinalign_stage_seconds",
            "Time of each stage of an answer.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.verdicts = Counter(
            "clinalign_verdicts", "Verdicts by dimension and finding.", ["dimension", "finding"], registry=self.registry
        )
        self.revisions = Counter(
            "clinalign_revisions",
            "Revisions by style, whether accepted, and reason.",
            ["style", "accepted", "reason"],
            registry=self.registry,
        )
        self.tokens = Counter(
            "clinalign_tokens", "Tokens by stage and kind.", ["stage", "kind"], registry=self.registry
        )
        self.red_flags = Counter("clinalign_red_flags", "Red flags by family.", ["family"], registry=self.registry)
        self.running = Gauge("clinalign_running", "Answers being worked on.", registry=self.registry)
        self.waiting = Gauge("clinalign_waiting", "Answers waiting for a place.", registry=self.registry)
        self.request_seconds = Histogram(
            "clinalign_request_seconds",
            "Time from a request's head to the end of its reply.",
            ["route"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.cache = Counter("clinalign_cache", "Answer cache look-ups.", ["result"], registry=self.registry)
        self.state_down = Gauge("clinalign_state_down", "1 while Redis is set and fails.", registry=self.registry)
        self.state_failures = Counter(
            "clinalign_state_failures",
            "Calls to Redis that failed or were not made, by what they were for.",
            ["store"],
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)
