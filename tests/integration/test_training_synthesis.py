"""Synthesis end to end over HTTP and over batch files; killed at random moments, it ends with the same rows."""

import asyncio
import json
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.principles_fakes import small_store
from tests.rubric_model import batch_line, served
from training.claim import OtherWork
from training.models import Endpoint
from training.reward.rubric import Rubric
from training.synthesis import ray_batch
from training.synthesis.queries import Query, read
from training.synthesis.run import Prices, Synthesis
from training.synthesis.steps import Plan
from training.synthesis.store import StoredPrinciples

ASKED = ("chest pain and jaw pressure", "which dose of medicine", "write a referral letter", "explain in plain words")


def _queries(count: int) -> list[Query]:
    return [Query(f"q{at:03}", f"{ASKED[at % len(ASKED)]} number {at}", "own", at + 1) for at in range(count)]


def _plan(url: str, samples: int = 3) -> Plan:
    endpoint = Endpoint(url, "scripted", concurrency=8)
    return Plan(endpoint, endpoint, endpoint, samples=samples)


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


async def test_a_run_makes_rows_that_name_their_principles_and_cost(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path / "store"))
    async with served() as server:
        run = Synthesis(tmp_path / "run", store, _plan(server.url))
        await run.run(_queries(20))
        report = run.finish(_queries(20), prices=Prices(1.0, 2.0, 1.0, 2.0))
        run.close()
    rows = _rows(tmp_path / "run")
    assert (report.queries, report.waiting, report.made + sum(report.dropped.values())) == (20, 0, 20)
    assert len(rows) == report.made > 10
    assert report.cost == pytest.approx(server.asked * (10 * 1.0 + 5 * 2.0) / 1e6)
    assert sum(stage["calls"] for stage in report.tokens.values()) == server.asked
    for row in rows:
        rubric, extra = Rubric.from_json(row["rubrics"]), row["extra_info"]
        assert row["prompt"] == [{"role": "user", "content": extra["prompt"][0]["content"]}]
        assert row["reward_model"]["ground_truth"] == row["rubrics"]
        assert len(extra["made_from"]) == len(rubric.items) == len(extra["pass_rates"])
        assert all(0 < rate < 1 for rate in extra["pass_rates"]), "what all or none do teaches nothing"
        assert {name.split("@")[0] for name in extra["principles"]} >= set(extra["made_from"])
        assert extra["principles_digest"]
        assert extra["writer"] == "scripted"


async def test_a_finished_run_asks_nothing_again(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path / "store"))
    async with served() as server:
        for _ in range(2):
            run = Synthesis(tmp_path / "run", store, _plan(server.url))
            await run.run(_queries(6))
            run.finish(_queries(6))
            run.close()
            asked, server.asked = server.asked, 0
    assert asked == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"writer": Endpoint("http://127.0.0.1:9/v1", "another")}, '"scripted", not "another"'),
        ({"judge": Endpoint("http://127.0.0.1:9/v1", "another")}, "judge"),
        ({"seed": 5}, "seed"),
    ],
    ids=["writer", "judge", "seed"],
)
def test_a_folder_of_another_plan_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    store, plan = StoredPrinciples(small_store(tmp_path / "store")), _plan("http://127.0.0.1:9/v1")
    Synthesis(tmp_path / "run", store, plan).close()
    with pytest.raises(OtherWork, match=said):
        Synthesis(tmp_path / "run", store, replace(plan, **changed))
    moved = Endpoint("http://127.0.0.1:8/v1", "scripted")
    Synthesis(tmp_path / "run", store, replace(plan, writer=moved)).close()  # the same model at another address


def test_replies_of_an_edited_store_are_not_signed_with_its_new_digest(tmp_path: Path) -> None:
    store, plan = StoredPrinciples(small_store(tmp_path / "store")), _plan("http://127.0.0.1:9/v1")
    run = Synthesis(tmp_path / "run", store, plan)
    run.take([batch_line(request) for request in run.open_requests(_queries(2))], _queries(2))
    run.close()
    claimed = tmp_path / "run" / "plan.json"
    claimed.write_text(claimed.read_text().replace(store.facts["principles_digest"], "0" * 16))
    with pytest.raises(OtherWork, match="principles_digest"):
        Synthesis(tmp_path / "run", store, plan)
    claimed.unlink()
    with pytest.raises(OtherWork, match=r"has replies but no plan\.json"):
        Synthesis(tmp_path / "run", store, plan)


async def test_batch_files_give_the_rows_that_a_server_gives(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path / "store"))
    async with served() as server:
        direct = Synthesis(tmp_path / "direct", store, _plan(server.url))
        await direct.run(_queries(8))
        direct.finish(_queries(8))
        direct.close()
    batched = Synthesis(tmp_path / "batched", store, _plan("http://127.0.0.1:9/v1"))
    rounds = 0
    while requests := list(batched.open_requests(_queries(8))):
        rounds += 1
        assert {r["url"] for r in requests} == {"/v1/chat/completions"}
        assert len({r["custom_id"] for r in requests}) == len(requests)
        lines = [batch_line(json.loads(json.dumps(request))) for request in requests]
        random.Random(rounds).shuffle(lines)
        lines.append({"custom_id": requests[0]["custom_id"], "response": None, "error": {"code": "expired"}})
        assert batched.take(lines, _queries(8)) == (len(requests), 1, 0)
    batched.finish(_queries(8))
    batched.close()
    assert rounds <= 7
    assert _rows(tmp_path / "batched") == _rows(tmp_path / "direct")


async def test_a_server_that_is_gone_leaves_queries_waiting_and_no_row(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path / "store"))
    async with served() as server:
        gone = server.url
    endpoint = Endpoint(gone, "scripted", tries=1)
    run = Synthesis(tmp_path / "run", store, Plan(endpoint, endpoint, endpoint))
    await run.run(_queries(3))
    report = run.finish(_queries(3))
    run.close()
    assert (report.waiting, report.made) == (3, 0)


async def test_a_server_that_refuses_everything_is_asked_no_more_than_its_first_calls(tmp_path: Path) -> None:
    async with served() as server:
        server.refuse_from = 1
        run = Synthesis(tmp_path / "run", StoredPrinciples(small_store(tmp_path / "store")), _plan(server.url))
        (calls,) = await run.run(_queries(60), in_flight=4)
        run.close()
    assert 16 <= server.asked < 60
    assert calls.said == f"{server.asked} of {server.asked} calls failed: {server.url}: status 403 ({server.asked}x)"


@pytest.mark.parametrize("after", ["", "\ud83d"], ids=["in a criterion", "after the JSON too"])
async def test_half_a_character_in_a_reply_stops_nothing(tmp_path: Path, after: str) -> None:
    criteria = ("Tells the dose \ud83d", "Asks about allergies.", "Names a clinic.")
    items = [{"principle": 1, "criterion": text, "polarity": "must", "weight": 5} for text in criteria]
    store = StoredPrinciples(small_store(tmp_path / "store"))
    async with served() as server:
        server.only = json.dumps({"items": items}) + after
        for _ in range(2):
            run = Synthesis(tmp_path / "run", store, _plan(server.url, samples=0))
            await run.run(_queries(1))
            told = run.finish(_queries(1))
            run.close()
    assert told.dropped == ({"unreadable": 1} if after else {})
    made = [Rubric.from_json(row["rubrics"]).items[0].criterion for row in _rows(tmp_path / "run")]
    assert made == ([] if after else ["Tells the dose \ufffd"])


def _foreign(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Lines of other files: of another tool, of other queries, of no stage of ours, and named by a number."""
    line = batch_line(request)
    names: list[Any] = ["request-1", "0" * 24 + "/rubric/0", request["custom_id"].replace("rubric", "haiku"), 7, None]
    return [{**line, "custom_id": name} for name in names]


def test_foreign_replies_are_left_out_and_counted(tmp_path: Path) -> None:
    store, plan = StoredPrinciples(small_store(tmp_path / "store")), _plan("http://127.0.0.1:9/v1")
    run = Synthesis(tmp_path / "run", store, plan)
    requests = list(run.open_requests(_queries(2)))
    lines = [*_foreign(requests[0]), *(batch_line(request) for request in requests)]
    assert run.take(lines, _queries(2)) == (2, 0, 5)
    run.close()
    run = Synthesis(tmp_path / "run", store, plan)
    assert run.finish(_queries(2)).queries == 2
    run.close()


def test_a_folder_that_an_earlier_version_filled_with_foreign_replies_starts_again(tmp_path: Path) -> None:
    store, plan = StoredPrinciples(small_store(tmp_path / "store")), _plan("http://127.0.0.1:9/v1")
    run = Synthesis(tmp_path / "run", store, plan)
    run.take([batch_line(request) for request in run.open_requests(_queries(1))], _queries(1))
    run.close()
    with (tmp_path / "run" / "replies.jsonl").open("a") as journal:
        journal.write('{"key": "request-1", "choices": [], "usage": {"prompt_tokens": 1000}}\n')
    run = Synthesis(tmp_path / "run", store, plan)
    assert run.finish(_queries(1)).tokens["rubric"] == {"calls": 1, "prompt": 10, "completion": 5}
    run.close()


TWO_SIDES = ("Tells the parent to give a dose of aspirin", "Tells the parent never to give a dose of aspirin")


def _line(request: dict[str, Any], reply: str) -> dict[str, Any]:
    line = batch_line(request)
    line["response"]["body"]["choices"][0]["message"]["content"] = reply
    return line


def _compared(run: Synthesis, reply: str) -> int:
    """Rounds of a rubric with two sides, whose pairs get that reply."""
    criteria = (*TWO_SIDES, "Asks how old she is", "Names a clinic nearby")
    items = [
        {"principle": 1, "criterion": text, "polarity": "must", "weight": 9 - at} for at, text in enumerate(criteria)
    ]
    said, rounds = {"rubric": json.dumps({"items": items}), "pairs": reply}, 0
    while requests := list(run.open_requests(_queries(1))):
        rounds += 1
        run.take([_line(r, said[r["custom_id"].split("/")[1]]) for r in requests], _queries(1))
    return rounds


def test_of_two_items_that_the_writer_finds_to_contradict_each_other_one_goes(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path / "store"))
    for reply, kept, left in (("contradicts", 3, ["contradicts"]), ("fits", 4, [])):
        run = Synthesis(tmp_path / reply, store, _plan("http://127.0.0.1:9/v1", samples=0))
        assert _compared(run, json.dumps({"1": reply})) == 2
        tokens = run.finish(_queries(1)).tokens
        run.close()
        (row,) = _rows(tmp_path / reply)
        assert tokens["pairs"] == {"calls": 1, "prompt": 10, "completion": 5}
        assert len(Rubric.from_json(row["rubrics"]).items) == kept
        assert row["extra_info"]["left_out"] == left
        assert row["extra_info"]["pairs_digest"]


def test_a_rubric_whose_pairs_nobody_could_compare_is_no_row(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path / "store"))
    run = Synthesis(tmp_path / "run", store, _plan("http://127.0.0.1:9/v1", samples=0))
    assert _compared(run, "They differ.") == 1 + 3
    assert run.finish(_queries(1)).dropped == {"uncompared": 1}
    run.close()


def test_pairs_and_answers_are_asked_in_one_round(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path / "store"))
    run = Synthesis(tmp_path / "run", store, _plan("http://127.0.0.1:9/v1", samples=3))
    items = [{"principle": 1, "criterion": text, "polarity": "must", "weight": 5} for text in (*TWO_SIDES, "Asks why")]
    (request,) = run.open_requests(_queries(1))
    run.take([_line(request, json.dumps({"items": items}))], _queries(1))
    asked = [name["custom_id"].split("/")[1] for name in run.open_requests(_queries(1))]
    run.close()
    assert asked == ["pairs", "sample", "sample", "sample"]


def test_a_folder_of_before_pairs_were_asked_goes_on_and_its_verdicts_are_not_taken_for_others(tmp_path: Path) -> None:
    store, plan = StoredPrinciples(small_store(tmp_path / "store")), _plan("http://127.0.0.1:9/v1")
    run = Synthesis(tmp_path / "run", store, plan)
    for stage in ("rubric", "pairs", "verdict"):
        while (requests := list(run.open_requests(_queries(1)))) and requests[0]["custom_id"].split("/")[1] == stage:
            wanted = {request["custom_id"] for request in requests}
            run.take(map(batch_line, requests if stage != "verdict" else ()), _queries(1))
            if stage == "verdict":
                break
    run.close()
    assert all("/verdict/" in name for name in wanted)
    claimed = tmp_path / "run" / "plan.json"
    claimed.write_text(json.dumps({k: v for k, v in json.loads(claimed.read_text()).items() if k != "pairs_digest"}))
    with (tmp_path / "run" / "replies.jsonl").open("a") as journal:
        journal.writelines(f'{{"key": "q000/verdict/{k}/{at}", "choices": []}}\n' for k in range(3) for at in range(9))
    run = Synthesis(tmp_path / "run", store, plan)
    assert {request["custom_id"] for request in run.open_requests(_queries(1))} == wanted
    run.close()
    assert "pairs_digest" in json.loads(claimed.read_text())


_RUNNER = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_training_synthesis import _plan, _queries
from tests.principles_fakes import small_store
from training.synthesis.run import Synthesis
from training.synthesis.store import StoredPrinciples
folder, url = Path(sys.argv[1]), sys.argv[2]
run = Synthesis(folder / "run", StoredPrinciples(small_store(folder / "store")), _plan(url))
asyncio.run(run.run(_queries(40), in_flight=4))
run.finish(_queries(40))
"""


async def test_ten_kills_at_random_moments_change_no_row(tmp_path: Path) -> None:
    rng = random.Random(9)
    async with served(pause_s=0.004) as server:
        undisturbed = Synthesis(
            tmp_path / "whole", StoredPrinciples(small_store(tmp_path / "store")), _plan(server.url)
        )
        await undisturbed.run(_queries(40))
        undisturbed.finish(_queries(40))
        undisturbed.close()
        total, kills = server.asked, 0
        while True:
            stop_at = server.asked + rng.randint(1, total // 9)
            worker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                _RUNNER,
                str(tmp_path),
                server.url,
                env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            )
            while worker.returncode is None and (kills >= 10 or server.asked < stop_at):
                await asyncio.sleep(0.002)
            if worker.returncode is not None:
                break
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
            kills += 1
    assert worker.returncode == 0
    assert kills == 10
    assert _rows(tmp_path / "run") == _rows(tmp_path / "whole")
    names = [json.loads(line)["key"] for line in (tmp_path / "run" / "replies.jsonl").read_text().splitlines()]
    assert len(names) == len(set(names)) == total


async def test_what_a_batch_could_not_ask_is_told_and_asked_for_again(tmp_path: Path) -> None:
    async with served() as server:
        gone = server.url
    run = Synthesis(tmp_path / "run", StoredPrinciples(small_store(tmp_path / "store")), _plan(gone))
    requests = list(run.open_requests(_queries(2)))
    lines = [json.loads(ray_batch.asked({"text": json.dumps(request)}, url=gone)["line"]) for request in requests]
    assert [(line["custom_id"], line["error"]) for line in lines] == [
        (request["custom_id"], {"code": "URLError"}) for request in requests
    ]
    assert run.take(lines, _queries(2)) == (0, 2, 0)
    assert list(run.open_requests(_queries(2))) == requests
    run.close()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_queries_are_read_once_each(tmp_path: Path, suffix: str) -> None:
    texts = ["May I fly?", "May  I fly?", "Is it flu?"]
    path = tmp_path / f"q{suffix}"
    if suffix == ".csv":
        path.write_text("id,question\n" + "".join(f"{at},{text}\n" for at, text in enumerate(texts)))
    else:
        path.write_text("".join(json.dumps({"question": text}) + "\n" for text in texts))
    found = list(read(path))
    assert [(query.text, query.row) for query in found] == [("May I fly?", 1), ("Is it flu?", 3)]
