"""POST /replay/{id}: the same conversation gives the same, and whatever was changed since is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.audit.chain import seal
from service.audit.ledger import FileLedger, MemoryLedger
from service.domain.enquiry import FailurePolicy, Tenant
from service.gateway.desk import Tenants
from service.pipeline.ports import Hits
from tests.gateway_fakes import BAD, CALM, CHEST, COUGH, FakeDesk, FakePrinciples, client_of, plays

OPERATOR = Tenants(open_to=Tenant("local", operator=True))
BEFORE_THE_DRAFT = ("screen", "scenario", "retrieve", "rubric")
ARITHMETIC = ("findings", "candidate scores", "round scores", "targets", "acceptance", "release")
CODE = (*BEFORE_THE_DRAFT, *ARITHMETIC)


def desk(**changes: Any) -> FakeDesk:
    return FakeDesk(**{"tenants": OPERATOR, **changes})


async def asked(client: httpx.AsyncClient, body: dict[str, Any] = COUGH, *, to: str = "/chat") -> Any:
    reply = await client.post(to, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def replayed(client: httpx.AsyncClient, entry_id: str, body: dict[str, Any] = COUGH) -> Any:
    return await asked(client, body, to=f"/replay/{entry_id}")


def step(reply: Any, name: str) -> Any:
    return next(one for one in reply["steps"] if one["step"] == name)


REVISES: dict[str, Any] = {
    "draft": BAD,
    "revision": '{"edits":[{"op":"replace","sentence":1,"text":"Rest and see a doctor."}]}',
}


@pytest.mark.parametrize("body", [COUGH, CHEST], ids=["calm", "red-flag"])
@pytest.mark.parametrize("model", [{}, REVISES, {"draft": BAD}], ids=["passes", "revised", "withheld"])
async def test_an_unchanged_gateway_replays_every_answer_the_same(model: dict[str, Any], body: dict[str, Any]) -> None:
    async with client_of(desk(script=plays(**model))) as client:
        first = await asked(client, body)
        reply = await replayed(client, first["id"], body)
    assert (reply["same"], reply["differs"]) == (True, [])
    assert {name: step(reply, name)["same"] for name in CODE} == dict.fromkeys(CODE, True)
    assert step(reply, "draft")["same"]
    assert step(reply, "draft judged")["same"]
    assert step(reply, "answer")["same"]


async def test_json_that_stayed_behind_for_its_schema_stays_behind_when_it_is_replayed() -> None:
    body = {**COUGH, "model": "fake", "response_format": {"type": "json_object"}}
    async with client_of(desk(script=plays("Rest.", revision="Rest."))) as client:
        first = (await asked(client, body, to="/v1/chat/completions"))["clinalign"]
        reply = await replayed(client, first["id"], body)
    assert first["outcome_reason"] == "schema_unmet"
    assert (reply["same"], reply["differs"]) == (True, [])


async def test_no_step_holds_words_of_the_conversation_or_the_answer() -> None:
    async with client_of(desk(script=plays(**REVISES))) as client:
        first = await asked(client, CHEST)
        said = json.dumps(await replayed(client, first["id"], CHEST))
    assert "crushing" not in said
    assert "Rest and see" not in said
    assert "Forbiddenword" not in said


async def test_another_conversation_is_refused() -> None:
    async with client_of(desk()) as client:
        first = await asked(client)
        reply = await client.post(f"/replay/{first['id']}", json=CHEST)
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "conversation_differs")


async def test_other_tools_than_those_of_the_record_are_refused() -> None:
    tool = {"type": "function", "function": {"name": "lookup"}}
    async with client_of(desk()) as client:
        first = await asked(client)
        reply = await client.post(f"/replay/{first['id']}", json={**COUGH, "tools": [tool]})
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "shape_differs")


async def test_only_an_operator_may_replay_and_read_what_others_got() -> None:
    fake = desk(tenants=Tenants(open_to=Tenant("ward")))
    async with client_of(fake) as client:
        first = await asked(client)
        reply = await client.post(f"/replay/{first['id']}", json=COUGH)
        assert (reply.status_code, reply.json()["error"]["type"]) == (403, "permission_error")
    async with client_of(desk(tenants=OPERATOR, ledger=fake.ledger)) as client:
        assert (await client.get(f"/audit/{first['id']}")).status_code == 200
        assert (await replayed(client, first["id"]))["same"]


async def test_a_changed_principle_is_named_and_the_model_is_not_asked_again() -> None:
    before = desk(script=plays(**REVISES))
    async with client_of(before) as client:
        first = await asked(client)
    heavier = replace(CALM.criteria[1], weight=8, text="Says to rest for a week.")
    after = desk(script=plays(**REVISES), ledger=before.ledger)
    after.principles.calm = replace(CALM, version="1.1.0", criteria=(CALM.criteria[0], heavier))
    after.principles.digest = "sha256:q"
    async with client_of(after) as client:
        reply = await replayed(client, first["id"])
    assert set(reply["differs"]) == {"versions", "retrieve", "rubric"}
    assert step(reply, "versions")["note"] == "principles_digest"
    assert [p["version"] for p in step(reply, "retrieve")["now"] if p["id"] == "calm"] == ["1.1.0"]
    assert step(reply, "release")["same"]
    assert step(reply, "model")["same"] is None
    assert after.engine.asks == []


async def test_a_changed_model_is_named_and_not_asked_while_the_code_still_agrees() -> None:
    before = desk(script=plays())
    async with client_of(before) as client:
        first = await asked(client)
    after = desk(script=plays("Something else."), ledger=before.ledger)
    after.engine.abilities = replace(after.engine.abilities, model="another", checkpoint_digest="sha256:9")
    async with client_of(after) as client:
        reply = await replayed(client, first["id"])
    assert reply["differs"] == ["versions"]
    assert step(reply, "versions")["note"] == "model, checkpoint_digest, judge_digest, accept_judge_digest"
    assert after.engine.asks == []


async def test_a_model_that_calls_itself_the_same_and_drafts_otherwise_is_found_out() -> None:
    before = desk(script=plays())
    async with client_of(before) as client:
        first = await asked(client)
    async with client_of(desk(script=plays("Drink tea and rest."), ledger=before.ledger)) as client:
        reply = await replayed(client, first["id"])
    assert reply["differs"] == ["draft", "answer"]
    assert step(reply, "draft judged")["same"] is None
    assert "without a seed" in step(reply, "draft")["note"]


async def test_a_judge_that_has_turned_is_found_out_verdict_by_verdict() -> None:
    before = desk(script=plays())
    async with client_of(before) as client:
        first = await asked(client)
    async with client_of(desk(script=plays(passes=lambda _: False), ledger=before.ledger)) as client:
        reply = await replayed(client, first["id"])
    assert "draft judged" in reply["differs"]
    assert step(reply, "draft judged")["now"]["verdicts"] != step(reply, "draft judged")["recorded"]["verdicts"]


async def test_a_check_is_replayed_with_its_answer_and_otherwise_by_code_alone() -> None:
    async with client_of(desk()) as client:
        first = await asked(client, {**COUGH, "answer": "Rest."}, to="/check")
        whole = await replayed(client, first["id"], {**COUGH, "answer": "Rest."})
        other = await replayed(client, first["id"], {**COUGH, "answer": "Run."})
        bare = await replayed(client, first["id"])
    assert whole["same"]
    assert "draft" in other["differs"]
    assert (bare["same"], step(bare, "model")["same"]) == (True, None)


def _outcome(entry: dict[str, Any]) -> None:
    entry["outcome"], entry["outcome_reason"] = "released", None


def _score(entry: dict[str, Any]) -> None:
    entry["candidates"][0]["score"] = 1.0


def _word(entry: dict[str, Any]) -> None:
    entry["candidates"][0]["verdicts"][0]["verdict"] = "met"


def _accepted(entry: dict[str, Any]) -> None:
    entry["revisions"].append({**_ROUND, "accepted": True, "reason": "better"})


def _verdict(entry: dict[str, Any]) -> None:
    entry["candidates"][0]["verdicts"][0].update(present=False, verdict="met")


_ROUND = {"round": 1, "style": "edits", "score_before": 0.0, "score_after": 1.0, "targets": ["calm#risk"]}
TAMPERS: dict[str, tuple[Callable[[dict[str, Any]], None], set[str]]] = {
    "outcome": (_outcome, {"release"}),
    "verdict": (_verdict, {"candidate scores", "release"}),
    "score": (_score, {"candidate scores"}),
    "word": (_word, {"findings"}),
    "accepted": (_accepted, {"acceptance"}),
}


@pytest.fixture
async def kept(tmp_path: Path) -> tuple[Path, str]:
    """A ledger's file with an answer that was not released, and that answer's id."""
    path = tmp_path / "ledger.jsonl"
    ledger = FileLedger(path)
    async with client_of(desk(script=plays(BAD, revision=BAD), ledger=ledger)) as client:
        first = await asked(client)
    await ledger.aclose()
    return path, first["id"]


@pytest.mark.parametrize(("tamper", "differs"), TAMPERS.values(), ids=TAMPERS.keys())
async def test_an_entry_that_was_rewritten_with_its_hashes_is_found_out(
    kept: tuple[Path, str], tamper: Callable[[dict[str, Any]], None], differs: set[str]
) -> None:
    path, entry_id = kept
    entry = json.loads(path.read_text())
    tamper(entry)
    line, _ = seal({k: v for k, v in entry.items() if k not in {"prev", "hash"}}, prev=entry["prev"])
    path.write_bytes(line + b"\n")
    ledger = FileLedger(path)
    async with client_of(desk(script=plays(BAD, revision=BAD), ledger=ledger)) as client:
        reply = await replayed(client, entry_id)
    await ledger.aclose()
    assert "ledger" in reply["differs"]
    assert "without the audit key" in step(reply, "ledger")["note"]
    assert set(reply["differs"]) > differs


async def test_a_line_whose_hash_no_longer_holds_is_named(kept: tuple[Path, str]) -> None:
    path, entry_id = kept
    ledger = FileLedger(path)
    path.write_bytes(path.read_bytes().replace(b'"release_line":7', b'"release_line":9'))
    async with client_of(desk(ledger=ledger)) as client:
        reply = await client.post(f"/replay/{entry_id}", json=COUGH)
    await ledger.aclose()
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "ledger_broken")
    assert "line 1" in reply.json()["error"]["message"]


async def test_a_record_made_under_another_key_is_refused() -> None:
    fake = desk()
    async with client_of(fake) as client:
        first = await asked(client)
        entry = dict(await fake.ledger.find(first["id"]))
    other = MemoryLedger()
    await other.record({k: v for k, v in {**entry, "key_hmac": "0"}.items() if k not in {"prev", "hash"}})
    async with client_of(desk(ledger=other)) as client:
        reply = await client.post(f"/replay/{first['id']}", json=COUGH)
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "audit_key_differs")


async def test_an_id_that_is_not_there_is_a_404_and_a_replay_is_no_answer() -> None:
    fake = desk()
    async with client_of(fake) as client:
        assert (await client.post("/replay/chat_0", json=COUGH)).status_code == 404
        first = await asked(client)
        await replayed(client, first["id"])
        lines = fake.ledger._lines
        noted = next(name for name in lines if name.startswith("replay_"))
        assert (await client.post(f"/replay/{noted}", json=COUGH)).status_code == 409
        assert json.loads(lines[noted])["replays"] == first["id"]


async def test_a_withholding_policy_is_that_of_the_record_though_the_tenants_has_changed() -> None:
    strict = Tenants(open_to=Tenant("local", FailurePolicy.FAIL_CLOSED, operator=True))
    before = desk(tenants=strict, script=plays(BAD, revision=BAD))
    async with client_of(before) as client:
        first = await asked(client)
    async with client_of(desk(script=plays(BAD, revision=BAD), ledger=before.ledger)) as client:
        reply = await replayed(client, first["id"])
    assert reply["same"]
    assert step(reply, "release")["now"]["outcome"] == "withheld"


async def test_a_red_flag_is_replayed_from_openais_route_by_its_own_id() -> None:
    async with client_of(desk()) as client:
        first = await asked(client, {**CHEST, "model": "fake", "seed": 3}, to="/v1/chat/completions")
        reply = await replayed(client, first["id"], CHEST)
    assert reply["same"]
    assert step(reply, "draft")["note"] is None


async def test_an_index_that_has_gone_since_is_named_and_the_release_is_followed_all_the_same() -> None:
    before = desk()
    async with client_of(before) as client:
        first = await asked(client)
    after = desk(ledger=before.ledger)
    after.principles.broken = True
    async with client_of(after) as client:
        reply = await replayed(client, first["id"])
    assert set(reply["differs"]) == {"versions", "retrieve"}
    assert step(reply, "release")["same"]


async def test_an_answer_for_which_nothing_was_retrieved_is_replayed_the_same_and_says_so_once_it_can_be() -> None:
    before = desk()
    before.principles.broken = True
    async with client_of(before) as client:
        first = await asked(client, CHEST)
        assert (await replayed(client, first["id"], CHEST))["same"]
    async with client_of(desk(ledger=before.ledger)) as client:
        reply = await replayed(client, first["id"], CHEST)
    assert {"retrieve", "rubric"} <= set(reply["differs"])
    assert "versions" not in reply["differs"], "no version of the principles is on record"
    assert step(reply, "screen")["same"]
    assert step(reply, "rubric")["note"] == "the work ended before that then: nothing_retrieved"


CHORE: dict[str, Any] = {**COUGH, "purpose": "chore"}
CHORES = Tenants(open_to=Tenant("local", chores=True, operator=True))


@pytest.mark.parametrize(("title", "outcome"), [("A cough", "chore"), ("", "safe_message")], ids=["title", "nothing"])
async def test_a_chore_is_replayed_as_a_chore(title: str, outcome: str) -> None:
    fake = desk(script=plays(title), tenants=CHORES)
    async with client_of(fake) as client:
        first = await asked(client, CHORE)
        reply = await replayed(client, first["id"])
        entry = await fake.ledger.find(first["id"])
    assert first["outcome"] == outcome
    assert (entry["purpose"], entry["chores"]) == ("chore", True)
    assert (reply["same"], reply["differs"]) == (True, [])
    assert step(reply, "release")["now"]["outcome"] == outcome
    assert step(reply, "answer")["same"]
    assert len(fake.engine.asks) == 2, "a chore is one call, and so is its replay"


async def test_a_chore_is_replayed_as_one_by_whoever_may_not_ask_for_one_and_other_words_are_told() -> None:
    before = desk(script=plays("A cough"), tenants=CHORES)
    async with client_of(before) as client:
        first = await asked(client, CHORE)
    async with client_of(desk(script=plays("Another"), ledger=before.ledger)) as client:
        reply = await replayed(client, first["id"])
    assert reply["differs"] == ["answer"]


async def test_a_chore_of_before_its_purpose_was_kept_is_known_by_its_stage() -> None:
    before, older = desk(script=plays("A cough"), tenants=CHORES), MemoryLedger()
    async with client_of(before) as client:
        first = await asked(client, CHORE)
    entry = dict(await before.ledger.find(first["id"]))
    added = {"prev", "hash", "purpose", "chores"}
    await older.record({name: value for name, value in entry.items() if name not in added})
    async with client_of(desk(script=plays("A cough"), ledger=older)) as client:
        reply = await replayed(client, first["id"])
    assert reply["differs"] == ["ledger"], "the seal covers what was taken out here"


@pytest.mark.parametrize(("tenants", "body"), [(OPERATOR, COUGH), (CHORES, CHEST)], ids=["no scope", "red flag"])
async def test_what_is_judged_though_it_was_called_a_chore_is_replayed_as_it_was_judged(
    tenants: Tenants, body: dict[str, Any]
) -> None:
    async with client_of(desk(tenants=tenants)) as client:
        first = await asked(client, {**body, "purpose": "chore"})
        reply = await replayed(client, first["id"], body)
    assert first["outcome"] == "released"
    assert (reply["same"], reply["differs"]) == (True, [])


async def test_an_answer_that_ended_before_retrieval_differs_in_nothing_that_it_never_had() -> None:
    class Breaks(FakePrinciples):
        async def consult(self, *_: object, **__: object) -> Hits:
            raise RuntimeError

    before = desk(principles=Breaks())
    async with client_of(before) as client:
        first = await asked(client)
    after = desk(ledger=before.ledger)
    async with client_of(after) as client:
        reply = await replayed(client, first["id"])
    assert (reply["same"], reply["differs"]) == (True, [])
    assert [step(reply, name)["same"] for name in ("scenario", "retrieve", "rubric", "model")] == [None] * 4
    assert step(reply, "rubric")["note"] == "the work ended before that then: internal"
    assert after.engine.asks == []


async def test_another_version_of_the_service_is_noted_and_no_difference_by_itself() -> None:
    before = desk(version="1")
    async with client_of(before) as client:
        first = await asked(client)
    async with client_of(desk(ledger=before.ledger, version="2")) as client:
        reply = await replayed(client, first["id"])
    assert (reply["same"], step(reply, "versions")["note"]) == (True, "service_version 1 then")
    assert step(reply, "versions")["now"]["service_version"] == "2"


async def test_an_answer_from_the_cache_points_to_the_one_that_was_judged() -> None:
    ledger = MemoryLedger()
    await ledger.record({"id": "chat_2", "tenant": "local", "repeats": "chat_1"})
    async with client_of(desk(ledger=ledger)) as client:
        reply = await client.post("/replay/chat_2", json=COUGH)
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "repeated")
    assert "chat_1" in reply.json()["error"]["message"]


async def test_a_record_that_cannot_be_followed_is_a_difference_and_no_error() -> None:
    fake, other = desk(), MemoryLedger()
    async with client_of(fake) as client:
        first = await asked(client)
        entry = {k: v for k, v in dict(await fake.ledger.find(first["id"])).items() if k not in {"prev", "hash"}}
    await other.record({**entry, "rubric": entry["rubric"][1:]})
    async with client_of(desk(ledger=other)) as client:
        reply = await replayed(client, first["id"])
    assert {"ledger", "rubric", "release"} <= set(reply["differs"])
    assert "cannot be followed" in step(reply, "release")["note"]
