"""What `clinalign load run` makes of its samples: figures, limits, the page, and its exit."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner

from loadtests import cli, embedded, latency
from loadtests.embedded import QUESTIONS, Asked
from loadtests.latency import Sample
from loadtests.limits import LIMITS, PASSING, READY, RESIDENT, REVISED, beyond
from loadtests.processes import simulated
from loadtests.report import page
from loadtests.simulated_vllm import SimulatedVllm, Simulation

TOKENS = {"prompt_tokens": 1000, "cached_tokens": 900, "completion_tokens": 10}
VERDICTS = [
    {"criterion": "light", "weight": 2, "polarity": "must"},
    {"criterion": "heavy", "weight": 9, "polarity": "must"},
    {"criterion": "heavier, and forbidden", "weight": 10, "polarity": "must_not"},
    {"criterion": "middling", "weight": 5, "polarity": "must"},
]


def reply(*, accepted: tuple[bool, ...] = (), outcome: str = "released") -> dict[str, Any]:
    return {
        "outcome": outcome,
        "verdicts": VERDICTS,
        "revisions": [{"accepted": each} for each in accepted],
        "usage": {"by_stage": {"draft": TOKENS, "judge": TOKENS}},
        "timings_ms": {"screen": 1.0, "draft": 6000.0, "total": 6100.0},
    }


def sample(plain: float, passing: float, revised: float, **changed: Any) -> Sample:
    return Sample(plain, passing, revised, reply(), reply(accepted=(False, True), **changed))


SAMPLES = [sample(6.0, 6.6, 9.0), sample(5.0, 5.0, 7.0), sample(10.0, 12.0, 17.0)]
ASKED = [Asked(3.0, TOKENS), Asked(1.0, None), Asked(2.0, {**TOKENS, "cached_tokens": 100})]


def figures(**changed: float) -> dict[str, Any]:
    own = embedded.summary(ASKED, ready_s=3.5, resident_mb=350.0)
    found: dict[str, Any] = {"latency": latency.summary(SAMPLES), "embedded": own, "machine": "a machine"}
    for name, value in changed.items():
        found["latency" if name in found["latency"] else "embedded"][name] = value
    return found


def test_ratios_are_taken_within_each_round_and_their_median_and_worst_are_told() -> None:
    found = latency.summary(SAMPLES)
    assert (found["rounds"], found["criteria"]) == (3, 4)
    assert (found["plain_s"], found["passing_s"], found["revised_s"]) == (6.0, 6.6, 9.0)
    assert (found["passing_ratio"], found["revised_ratio"]) == (1.1, 1.5)
    assert found["passing_ratio_max"] == pytest.approx(1.2)
    assert found["revised_ratio_max"] == pytest.approx(1.7)
    assert found["revisions_accepted"] == 3
    assert found["outcomes"] == ["released"]


def test_what_the_judge_was_asked_is_summed_over_the_answers_that_were_judged() -> None:
    found = embedded.summary(ASKED, ready_s=3.5, resident_mb=350.0)
    assert (found["answers"], found["answer_s"]) == (3, 2.0)
    assert found["judge_cached_share"] == 0.5
    assert embedded.summary([Asked(1.0, None)], ready_s=1.0, resident_mb=1.0)["judge_cached_share"] == 0.0


def test_the_limits_are_those_that_the_project_promises() -> None:
    assert [limit.at_most for limit in (PASSING, REVISED, READY, RESIDENT)] == [1.15, 1.6, 5.0, 600.0]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.figure)
def test_a_figure_on_its_limit_holds_and_one_beyond_it_or_no_number_does_not(limit: Any) -> None:
    assert beyond(figures(**{limit.figure: limit.at_most})) == []
    for value in (limit.at_most * 1.01, float("nan")):
        (line,) = beyond(figures(**{limit.figure: value}))
        assert line.startswith(limit.told)
        assert f"at most {limit.at_most:g}" in line


def test_answers_that_were_not_released_are_no_measure_of_a_guarded_answer() -> None:
    found = {**figures(), "latency": latency.summary([sample(6.0, 6.0, 6.0, outcome="safe_message")])}
    assert beyond(found) == ["answers that were not released: safe_message"]


def test_the_page_has_each_limit_beside_its_figure() -> None:
    found = figures()
    text = page(found["latency"], found["embedded"], machine="2 cores")
    assert "| guarded, the draft passes | 6.60 | 1.100 | 1.200 | 1.15 |" in text
    assert "| guarded, 2 criteria fail and are mended by edits | 9.00 | 1.500 | 1.700 | 1.6 |" in text
    assert "| process start to serving | 3.5 s | 5 s |" in text
    assert "| MB resident, 3 answers on | 350 | 600 |" in text
    assert "| passing | judge | 1000 | 900 | 90% | 10 |" in text
    assert "| passing | 1 ms | 6000 ms | 6100 ms |" in text
    assert "Revisions accepted: 3 of 3." in text


@pytest.mark.parametrize(("resident", "code"), [(350.0, 0), (601.0, 1)])
def test_the_command_exits_1_beyond_a_limit_and_says_which(
    monkeypatch: pytest.MonkeyPatch, resident: float, code: int
) -> None:
    async def measured(_: int) -> dict[str, Any]:
        return figures(resident_mb=resident)

    monkeypatch.setattr(cli, "_measured", measured)  # what it measures are processes, and minutes
    run = CliRunner().invoke(cli.commands, ["run", "--json"])
    assert run.exit_code == code
    assert len(json.loads(run.stdout)["beyond"]) == code
    assert ("MB resident with everything embedded: 601, at most 600" in run.stderr) is bool(code)


@asynccontextmanager
async def standing_in(asked: list[dict[str, Any]]) -> AsyncIterator[str]:
    """A gateway whose every answer is the same; `asked` are the bodies that it got."""

    async def chat(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response(reply(accepted=(True,)))

    app = web.Application()
    app.router.add_post("/chat", chat)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_every_question_is_asked_once_and_told_of() -> None:
    asked: list[dict[str, Any]] = []
    told: list[int] = []
    async with standing_in(asked) as address:
        found = await embedded.ask(address, progress=told.append)
    assert [body["messages"][0]["content"] for body in asked] == list(QUESTIONS)
    assert [one.judged for one in found] == [TOKENS] * len(QUESTIONS)
    assert told == [1] * len(QUESTIONS)


async def test_a_round_asks_plain_passing_and_revised_and_the_two_heaviest_musts_fail() -> None:
    quick = Simulation(ttft_s=0.0, inter_token_s=0.0, answer_tokens=3, model=latency.UPSTREAM.model)
    server, asked = SimulatedVllm(quick), list[dict[str, Any]]()
    async with simulated(server) as upstream, standing_in(asked) as address:
        samples = await latency.ask(server, upstream, address, rounds=2, progress=lambda _: None)
    assert len(samples) == 2
    assert [body["messages"][0]["content"] for body in asked] == [
        latency.QUESTION.format(n=n) for n in (1, 2, 1002, 3, 1003)
    ]
    names = [str(v["criterion"]) for v in VERDICTS]
    mended = {name for name in names if server.presence(name, "nothing") < 0.5 < server.presence(name, name)}
    assert mended == {"heavy", "middling"}, "found once edits have put them in, and not before"
