"""The routes beside the answers: /screen, /check, /principles, probes, metrics, and what every reply carries."""

from typing import Any

import pytest

from service.domain.enquiry import Tenant
from service.gateway.desk import Tenants
from tests.gateway_fakes import BAD, CHEST, COUGH, DUTY, GOOD, FakeDesk, FakePrinciples, FakeScreen, client_of, plays
from tests.screen_fakes import BrokenEncoder, head_of


async def test_screening_takes_no_model_call() -> None:
    fake = FakeDesk()
    async with client_of(fake) as client:
        reply = (await client.post("/screen", json=CHEST)).json()
    assert reply["red_flags"] == [
        {"family": "cardiac", "evidence": {"message": 0, "start": 16, "end": 26}, "advice": DUTY, "source": "rules"}
    ]
    assert reply["notices"] == []
    assert reply["scenario"]["urgency"] == "emergent"  # the flag is a floor
    assert fake.engine.asks == []


@pytest.mark.parametrize("text", ["我头痛三天了", "siwezi kupumua", "mujhe bukhar hai"])
async def test_a_language_that_is_not_read_has_the_scenario_of_care_and_says_so(text: str) -> None:
    async with client_of(FakeDesk()) as client:
        reply = (await client.post("/screen", json={"messages": [{"role": "user", "content": text}]})).json()
    assert reply["notices"] == ["language_not_read"]
    assert (reply["scenario"]["expertise"], reply["scenario"]["urgency"]) == ("lay", "urgent")


async def test_red_flags_stand_when_the_store_does_not() -> None:
    async with client_of(FakeDesk(principles=FakePrinciples(broken=True))) as client:
        reply = (await client.post("/screen", json=CHEST)).json()
    assert (reply["red_flags"][0]["family"], reply["scenario"]) == ("cardiac", None)


async def test_a_head_that_fails_leaves_the_rules_and_the_replies_say_so() -> None:
    fake = FakeDesk(screen=FakeScreen(head=head_of(BrokenEncoder())))
    async with client_of(fake) as client:
        calm = (await client.post("/screen", json=COUGH)).json()
        flagged = (await client.post("/screen", json=CHEST)).json()
        answer = (await client.post("/chat", json=COUGH)).json()
    assert (calm["red_flags"], calm["notices"]) == ([], ["screened_by_rules_alone"])
    assert (flagged["red_flags"][0]["source"], flagged["notices"]) == ("rules", [])
    assert "screened_by_rules_alone" in answer["provenance"]["notices"]


async def test_an_answer_of_another_model_is_judged_and_not_revised_unless_asked() -> None:
    fake = FakeDesk()
    async with client_of(fake) as client:
        judged = (await client.post("/check", json={**COUGH, "answer": BAD})).json()
        mended = (await client.post("/check", json={**COUGH, "answer": BAD, "revise": True})).json()
    assert (judged["outcome"], judged["score"], judged["revisions"]) == (
        "safe_message",
        {"draft": 0.0, "released": None},
        [],
    )
    assert {v["verdict"] for v in judged["verdicts"]} == {"unmet"}
    assert (mended["outcome"], mended["answer"]) == ("released", GOOD)
    assert judged["id"].startswith("check_")
    assert "draft" not in mended["usage"]["by_stage"]


async def test_a_batch_is_given_back_in_its_order() -> None:
    items = [{**COUGH, "answer": answer, "revise": True} for answer in (GOOD, BAD, "Sleep.")]
    async with client_of(FakeDesk()) as client:
        reply = (await client.post("/check", json={"items": items})).json()
    assert [item["answer"] for item in reply["items"]] == [GOOD, GOOD, "Sleep."]


async def test_principles_are_listed_found_and_searched() -> None:
    async with client_of(FakeDesk()) as client:
        listed = (await client.get("/principles")).json()
        found = (await client.get("/principles/calm")).json()
        missing = await client.get("/principles/nothing")
        near = (await client.post("/principles/search", json={"query": "cough", "limit": 1})).json()
    assert listed["principles"][0]["id"] == found["id"] == near["principles"][0]["id"] == "calm"
    assert missing.status_code == 404


async def test_a_search_in_a_store_that_cannot_be_used_is_a_503() -> None:
    async with client_of(FakeDesk(principles=FakePrinciples(broken=True))) as client:
        reply = await client.post("/principles/search", json={"query": "cough"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "store_unusable")
    assert reply.headers["retry-after"]


@pytest.mark.parametrize(("is_ready", "status"), [(True, 200), (False, 503)])
async def test_readiness_says_why_not(is_ready: bool, status: int) -> None:
    async with client_of(FakeDesk(ready=(is_ready, () if is_ready else ("no engine",)))) as client:
        reply = await client.get("/readyz")
        health = await client.get("/healthz")
    assert (reply.status_code, reply.json()["reasons"]) == (status, [] if is_ready else ["no engine"])
    assert health.status_code == 200


async def test_metrics_count_by_route_outcome_and_finding() -> None:
    fake = FakeDesk(plays(BAD))
    async with client_of(fake) as client:
        await client.post("/chat", json=CHEST)
        await client.get("/principles/calm")
        await client.get("/anything/at/all")
        text = (await client.get("/metrics")).text
    for line in (
        'clinalign_requests_total{route="/chat",status="200"} 1.0',
        'clinalign_requests_total{route="/principles/{principle_id}",status="200"} 1.0',
        'clinalign_requests_total{route="none",status="404"} 1.0',
        'clinalign_outcomes_total{outcome="released",reason="none"} 1.0',
        'clinalign_red_flags_total{family="cardiac"} 1.0',
        'clinalign_revisions_total{accepted="true",reason="better",style="rewrite"} 1.0',
        'clinalign_verdicts_total{dimension="duty",finding="met"} 1.0',
        'clinalign_tokens_total{kind="prompt",stage="draft"} 100.0',
        'clinalign_stage_seconds_count{stage="judge"} 1.0',
        "clinalign_running 0.0",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("given", "kept"),
    [("app-17.x_y", True), ("a" * 128, True), ("a" * 129, False), ("two words", False), ("a;b", False), ("", False)],
)
async def test_a_sane_request_id_is_kept_and_any_other_replaced(given: str, kept: bool) -> None:
    async with client_of(FakeDesk()) as client:
        reply = await client.get("/healthz", headers={"x-request-id": given})
    name = reply.headers["x-request-id"]
    assert name == given if kept else name.startswith("req_")


@pytest.mark.parametrize("path", ["/chat", "/healthz", "/nothing"])
async def test_every_reply_carries_the_security_headers(path: str) -> None:
    async with client_of(FakeDesk(tenants=Tenants(open_to=Tenant("local")))) as client:
        headers = (await client.post(path, json=COUGH)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


async def test_the_interface_describes_itself_whole() -> None:
    async with client_of(FakeDesk()) as client:
        described: dict[str, Any] = (await client.get("/openapi.json")).json()
    names = set(described["components"]["schemas"])
    assert {"ChatBody", "CompletionBody", "CheckBody", "ScreenBody", "SearchBody", "ChatReply", "ErrorReply"} <= names
    assert _references(described) <= names
    assert "requestBody" in described["paths"]["/chat"]["post"]


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"].rsplit("/", 1)[1]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in node.values()))
    return set().union(*(_references(value) for value in node)) if isinstance(node, list) else set()
