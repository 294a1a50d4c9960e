"""POST /replay/{id}: a conversation that was answered before is taken again, and where anything differs is said."""

import time
from dataclasses import replace

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.answer import Answer
from service.domain.deadline import Deadline
from service.domain.enquiry import Audience, Enquiry, FailurePolicy, Options, Purpose, RevisionStyle, Tenant
from service.domain.errors import Conflict, Forbidden, NotFound, StoreError
from service.gateway.account import conversation_digest, keyed_digest, salted, sealed, terms
from service.gateway.answering import Answering, answering_of
from service.gateway.connected import while_connected
from service.gateway.documented import documented
from service.gateway.enquiring import CHECK, new_id
from service.gateway.errors import json_response
from service.gateway.messages import conversation_of
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.openai_body import CompletionBody, wanted_of
from service.gateway.operations import named_in_ledger
from service.gateway.reading import read
from service.gateway.recomputed import Entry, is_chore
from service.gateway.replaying import PINNED, SERVICE, Step, is_repeatable, steps_of
from service.observability.logs import event

router = APIRouter(tags=["operations"])


class ReplayBody(CompletionBody):
    """The conversation as it was sent, with its tools, format and stops; `answer` where it was a check.

    How the draft was sampled is on record, so what is said of that here is left aside.
    """

    answer: str | None = Field(default=None, max_length=200_000)


class ReplayReply(TypedDict):
    """`differs` names the steps that came out otherwise; `same` where there are none. No step holds words."""

    id: str
    same: bool
    differs: list[str]
    steps: list[Step]


@router.post("/replay/{entry_id}", **documented(ReplayReply, ReplayBody))
async def replay(request: Request, entry_id: str) -> Response:
    """Take a conversation again: code exactly, the model where its versions are those of the record. For operators."""
    if not tenant_of(request).operator:
        raise Forbidden("only an operator's key may replay: set `operator = true` for its tenant")
    body = await read(request, ReplayBody)
    answering = answering_of(request)
    entry = await _found(answering, named_in_ledger(entry_id))
    enquiry = _enquiry(entry, body, answering)
    reply = await while_connected(request.receive, _replayed(answering, entry, enquiry, body.answer))
    await _noted(answering, reply, by=tenant_of(request))
    return json_response(reply)


async def _found(answering: Answering, entry_id: str) -> Entry:
    entry = await answering.desk.ledger.find(entry_id)
    if entry is None:
        if broken := await answering.desk.ledger.broken():
            raise Conflict(f"no entry of this id holds, and the ledger is broken at {broken}", code="ledger_broken")
        raise NotFound("no answer has this id", param="entry_id")
    if "repeats" in entry:
        raise Conflict(f"this answer was given again from the cache: replay {entry['repeats']}", code="repeated")
    if "candidates" not in entry:
        raise Conflict("this entry holds no answer that could be replayed", code="not_an_answer")
    return entry


def _enquiry(entry: Entry, body: ReplayBody, answering: Answering) -> Enquiry:
    """What was asked then, on the terms of then.

    Raises:
        Conflict: the conversation, its tools or format, or the key of the hashes is not that of the record.

    """
    key, limits = answering.desk.audit_key, answering.desk.limits
    wanted, recorded = wanted_of(body), entry["options"]
    # Entries of before `purpose` was written down tell a chore by its stage.
    purpose = Purpose(entry.get("purpose", Purpose.CHORE if is_chore(entry) else Purpose.ANSWER))
    chores = entry.get("chores", is_chore(entry))
    tenant = Tenant(entry["tenant"], FailurePolicy(entry["failure_policy"]), entry["release_line"], chores=chores)
    enquiry = Enquiry(
        id=new_id("replay_"),
        tenant=salted(tenant, key=key),
        conversation=conversation_of(body.messages),
        deadline=Deadline.after(limits.deadline_ms / 1000),
        audience=Audience(entry["audience"]) if entry["audience"] else None,
        options=Options(**{**recorded, "revision_style": RevisionStyle(recorded["revision_style"])}),
        sampling=replace(wanted.sampling, **entry["sampling"]),
        shape=wanted.shape,
        purpose=purpose,
    )
    if keyed_digest(key, "key", "") != entry["key_hmac"]:
        said = "the record was hashed under another CLINALIGN_AUDIT_KEY: no conversation can be told to be its own"
        raise Conflict(said, code="audit_key_differs")
    if conversation_digest(enquiry, key=key) != entry["conversation_hmac"]:
        raise Conflict("messages: not the conversation of the record", param="messages", code="conversation_differs")
    if terms(enquiry, key=key)["shape_hmac"] != entry["shape_hmac"]:
        raise Conflict("tools, response_format or stop: not those of the record", code="shape_differs")
    return enquiry


async def _replayed(answering: Answering, entry: Entry, enquiry: Enquiry, given: str | None) -> ReplayReply:
    pipeline, key = answering.desk.orchestrator, answering.desk.audit_key
    try:
        now = await pipeline.assess(enquiry, checked=_is_judged_only(entry))
    except StoreError:
        now = None
    versions = pipeline.versions(now.principles_digest if now else "")
    broken = await answering.desk.ledger.broken()
    pinned = {name: getattr(versions, name) for name in (*PINNED, SERVICE)}
    again = await _again(answering, entry, enquiry, given) if is_repeatable(entry, pinned) else None
    steps = steps_of(entry, enquiry, now=now, again=again, pinned=pinned, broken=broken, key=key)
    differs = [step["step"] for step in steps if step["same"] is False]
    return {"id": entry["id"], "same": not differs, "differs": differs, "steps": steps}


async def _again(answering: Answering, entry: Entry, enquiry: Enquiry, given: str | None) -> Answer | None:
    """The whole way once more; None where it was a check and its text was not given."""
    pipeline = answering.desk.orchestrator
    async with answering.gate.place(enquiry.deadline):
        if not entry["id"].startswith(CHECK):
            return await pipeline.answer(enquiry)
        return await pipeline.check(enquiry, given) if given else None


def _is_judged_only(entry: Entry) -> bool:
    return bool(entry["id"].startswith(CHECK) and not entry["options"]["max_revisions"])


async def _noted(answering: Answering, reply: ReplayReply, *, by: Tenant) -> None:
    """Who replayed what, and what came of it, is on record too."""
    named = new_id("replay_")
    content: dict[str, object] = {
        "id": named,
        "at": round(time.time(), 3),
        "tenant": by.name,
        "replays": reply["id"],
        "differs": reply["differs"],
    }
    await answering.desk.ledger.record(sealed(content, key=answering.desk.audit_key))
    event("replayed", id=named, tenant=by.name, of=reply["id"], outcome="same" if reply["same"] else "differs")
