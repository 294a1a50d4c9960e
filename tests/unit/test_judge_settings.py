"""Which judges a setting brings, and that one that is not there stops the start."""

from pathlib import Path
from typing import Any

import pytest

from service.assembly.judges import judge_engine_of, judges_of, warn_of
from service.domain.errors import SettingsError
from service.engines.endpoint import Endpoint
from service.engines.openai_http import OpenAIEngine
from service.settings import Settings, read_settings

SERVER = "http://127.0.0.1:9/v1"
SERVED = OpenAIEngine(Endpoint(base_url=SERVER))
CASES: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "one": ({}, ("self", "self")),
    "a-second-accepts": ({"judge_upstream": SERVER}, ("self", "upstream")),
    "named": ({"judge_upstream": SERVER, "judge_model": "careful"}, ("self", "upstream:careful")),
    "the-other-way": ({"judge_upstream": SERVER, "judge": "upstream", "accept_judge": "self"}, ("upstream", "self")),
    "only-the-other": ({"judge_upstream": SERVER, "judge": "upstream"}, ("upstream", "upstream")),
    "set-but-not-used": ({"judge_upstream": SERVER, "accept_judge": "self"}, ("self", "self")),
}


@pytest.mark.parametrize(("given", "names"), CASES.values(), ids=CASES.keys())
def test_who_guides_and_who_accepts(given: dict[str, Any], names: tuple[str, str]) -> None:
    settings = Settings(**given)
    guide, accept = judges_of(settings, SERVED, judge_engine_of(settings))
    assert (guide.name, accept.name) == names
    assert (guide is accept) == (names[0] == names[1])


def test_each_uncalibrated_judge_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(judge_upstream=SERVER)
    with caplog.at_level("INFO", logger="clinalign"):
        warn_of(judges_of(settings, SERVED, judge_engine_of(settings)))
    warned = [r.__dict__["fields"]["judge"] for r in caplog.records if r.getMessage() == "judge.uncalibrated"]
    assert warned == ["self", "upstream"]


def test_a_judge_is_not_probed_or_connected_to_where_it_is_not_used() -> None:
    assert judge_engine_of(Settings(judge_upstream=SERVER, accept_judge="self")) is None
    assert judge_engine_of(Settings()) is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"judge": "upstream"}, "JUDGE_UPSTREAM"),
        ({"accept_judge": "small"}, "SMALL_JUDGE_DIR"),
        ({"judge": "x"}, "judge"),
    ],
    ids=["no-server", "no-folder", "unknown"],
)
def test_a_judge_that_is_not_there_stops_the_start(given: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_settings(**given)


def test_a_small_judge_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    settings = Settings(small_judge_dir=tmp_path)
    assert settings.accepting == "small"
    with pytest.raises(SettingsError, match="judge small"):
        judges_of(settings, SERVED, None)
