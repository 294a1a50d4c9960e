"""One query's way from question to rubric: the replies so far come in; what to ask next, or the end, goes out.

A reply is found by its `custom_id`, whether it came from a server now or from a batch file next week. So a run that was
killed, and one that goes through files, end with the same rows as one that was not disturbed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from service.domain.assessment import Scenario
from service.domain.conversation import Message, Role
from service.prompts import verdict as verdict_words
from service.prompts.control import neutralise
from training.models import Endpoint, ModelFailed, read_reply
from training.reward.rubric import BadRubric, Item, Rubric, row
from training.synthesis import pairs
from training.synthesis.checks import Compared, Encode, Left, Pair, Relation, compare, sift, telling
from training.synthesis.prompt import FEWEST, SCHEMA, Drafted, Guide, Unreadable, read, request
from training.synthesis.queries import Query

_ALTERNATIVES: Final = 20


class Stage(StrEnum):
    """What is asked of a model, in this order."""

    RUBRIC = "rubric"
    PAIRS = "pairs"
    SAMPLE = "sample"
    VERDICT = "verdict"


class Reason(StrEnum):
    """Why a query has no rubric."""

    UNREADABLE = "unreadable"
    UNCOMPARED = "uncompared"
    TOO_FEW_ITEMS = "too_few_items"
    NOTHING_TO_EARN = "nothing_to_earn"
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with what the store says of it."""

    query: Query
    scenario: Scenario
    guides: tuple[Guide, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who writes rubrics, answers and judges; `samples` answers tell which items tell answers apart (0: none asked).

    `tries` is how often a rubric that cannot be read is asked for, or which of its items repeat or contradict one
    another; each try has a seed of its own. Who writes rubrics is who compares.
    """

    writer: Endpoint
    sampler: Endpoint
    judge: Endpoint
    samples: int = 4
    tries: int = 3
    seed: int = 0

    def endpoint(self, stage: Stage) -> Endpoint:
        """Who is asked at a stage."""
        return {Stage.SAMPLE: self.sampler, Stage.VERDICT: self.judge}.get(stage, self.writer)


@dataclass(frozen=True, slots=True)
class Request:
    """One call: `custom_id` is `<query>/<stage>/...`, unique over a run."""

    custom_id: str
    stage: Stage
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing can be said before these are answered."""

    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A row of training data."""

    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dropped:
    """No rubric for this query."""

    reason: Reason


Step = Pending | Done | Dropped
Replies = Mapping[str, Mapping[str, Any]]


# The words by which pairs are compared; a row's provenance has their digest.
PAIRS_DIGEST: Final = hashlib.sha256(json.dumps([pairs.SYSTEM, pairs.ASK]).encode()).hexdigest()[:16]


def step(asked: Asked, replies: Replies, plan: Plan, encode: Encode, *, facts: Mapping[str, str]) -> Step:
    """What comes next for one query; `facts` (digests, versions) go into its row's provenance."""
    drafted = _drafted(asked, replies, plan)
    if isinstance(drafted, Pending | Dropped):
        return drafted
    relations = _related(asked, drafted, compare(drafted, encode), replies, plan)
    if isinstance(relations, Dropped):
        return relations
    if first := (*_open(relations), *_unsampled(asked, replies, plan)):  # neither needs the other: one round
        return Pending(first)
    assert not isinstance(relations, Pending)  # noqa: S101 - it would be among the first
    sifted = sift(drafted, relations)
    kept, left = sifted.kept, sifted.left
    rates: tuple[float, ...] = ()
    if plan.samples:
        done = _done(asked, kept, replies, plan)
        if isinstance(done, Pending):
            return done
        if not done:
            return Dropped(Reason.UNJUDGED)
        told = telling(kept, done)
        rates = tuple(sum(sample[kept.index(item)] for sample in done) / len(done) for item in told.kept)
        kept, left = told.kept, (*left, *told.left)
    return _finished(asked, kept, left, rates, facts)


def _drafted(asked: Asked, replies: Replies, plan: Plan) -> tuple[Drafted, ...] | Pending | Dropped:
    for attempt in range(plan.tries):
        name = f"{asked.query.id}/{Stage.RUBRIC}/{attempt}"
        if name not in replies:
            return Pending((_rubric_request(name, asked, plan, attempt),))
        try:
            return read(read_reply(replies[name]).text, asked.guides)
        except (Unreadable, ModelFailed):
            continue
    return Dropped(Reason.UNREADABLE)


def _rubric_request(name: str, asked: Asked, plan: Plan, attempt: int) -> Request:
    form = {"type": "json_schema", "json_schema": {"name": "rubric", "schema": SCHEMA, "strict": True}}
    body = plan.writer.body(
        request(asked.query.text, asked.scenario, asked.guides),
        temperature=0.0 if attempt == 0 else 0.7,
        seed=plan.seed + attempt,
        max_tokens=1500,
        response_format=form,
    )
    return Request(name, Stage.RUBRIC, body)


def _related(
    asked: Asked, items: Sequence[Drafted], compared: Compared, replies: Replies, plan: Plan
) -> Mapping[Pair, Relation] | Pending | Dropped:
    """What the words alone tell, and what the writer says of the other pairs that are near."""
    if not compared.open:
        return compared.known
    messages = pairs.request(items, compared.open)
    digest = _digest(messages[-1].content)
    for attempt in range(plan.tries):
        name = f"{asked.query.id}/{Stage.PAIRS}/{attempt}/{digest}"
        if name not in replies:
            return Pending((_pairs_request(name, messages, len(compared.open), plan, attempt),))
        try:
            return {**compared.known, **pairs.read(read_reply(replies[name]).text, compared.open)}
        except (Unreadable, ModelFailed):
            continue
    return Dropped(Reason.UNCOMPARED)


def _open(relations: Mapping[Pair, Relation] | Pending) -> tuple[Request, ...]:
    return relations.requests if isinstance(relations, Pending) else ()


def _pairs_request(name: str, messages: Sequence[Message], count: int, plan: Plan, attempt: int) -> Request:
    schema = {"name": "pairs", "schema": pairs.schema(count), "strict": True}
    body = plan.writer.body(
        messages,
        temperature=0.0 if attempt == 0 else 0.7,
        seed=plan.seed + attempt,
        max_tokens=40 + 16 * count,
        response_format={"type": "json_schema", "json_schema": schema},
    )
    return Request(name, Stage.PAIRS, body)


def _unsampled(asked: Asked, replies: Replies, plan: Plan) -> tuple[Request, ...]:
    names = _samples(asked, plan)
    return tuple(_sample_request(name, asked, plan, k) for k, name in enumerate(names) if name not in replies)


def _samples(asked: Asked, plan: Plan) -> list[str]:
    return [f"{asked.query.id}/{Stage.SAMPLE}/{k}" for k in range(plan.samples)]


def _digest(text: str) -> str:
    """Of what was asked about: a reply on other words, of an earlier version's sifting say, is no reply on these."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _done(asked: Asked, items: Sequence[Drafted], replies: Replies, plan: Plan) -> list[list[bool]] | Pending:
    """For each sample whose verdicts all could be read, which items it does."""
    answers = [_text(replies[name]) for name in _samples(asked, plan)]
    digests = [_digest(item.criterion) for item in items]
    wanted = {
        f"{asked.query.id}/{Stage.VERDICT}/{k}/{digest}": (answer, item.criterion)
        for k, answer in enumerate(answers)
        if answer
        for digest, item in zip(digests, items, strict=True)
    }
    if left := tuple(_verdict_request(n, asked, plan, *what) for n, what in wanted.items() if n not in replies):
        return Pending(left)
    verdicts = [
        [_present(replies[f"{asked.query.id}/{Stage.VERDICT}/{k}/{digest}"]) for digest in digests]
        for k, answer in enumerate(answers)
        if answer
    ]
    return [[bool(v) for v in sample] for sample in verdicts if None not in sample]


def _sample_request(name: str, asked: Asked, plan: Plan, number: int) -> Request:
    said = (Message(Role.USER, neutralise(asked.query.text)),)
    body = plan.sampler.body(said, temperature=1.0, seed=plan.seed + number, max_tokens=1024)
    return Request(name, Stage.SAMPLE, body)


def _verdict_request(name: str, asked: Asked, plan: Plan, answer: str, criterion: str) -> Request:
    turns = (
        Message(Role.USER, neutralise(asked.query.text)),
        Message(Role.ASSISTANT, neutralise(answer)),
        verdict_words.instruction(criterion),
    )
    body = plan.judge.body(turns, temperature=0.0, max_tokens=1, logprobs=True, top_logprobs=_ALTERNATIVES)
    return Request(name, Stage.VERDICT, body)


def _text(reply: Mapping[str, Any]) -> str:
    try:
        return read_reply(reply).text.strip()
    except ModelFailed:
        return ""


def _present(reply: Mapping[str, Any]) -> bool | None:
    try:
        return verdict_words.read(read_reply(reply).first_token).present
    except ModelFailed:
        return None


def _finished(
    asked: Asked,
    kept: Sequence[Drafted],
    left: Sequence[tuple[Drafted, Left]],
    rates: Sequence[float],
    facts: Mapping[str, str],
) -> Done | Dropped:
    if len(kept) < FEWEST - 1:
        return Dropped(Reason.TOO_FEW_ITEMS)
    try:
        rubric = Rubric(tuple(Item(item.criterion, item.weight if item.must else -item.weight) for item in kept))
    except BadRubric:
        return Dropped(Reason.NOTHING_TO_EARN)
    scenario = asked.scenario
    extra = {
        "id": asked.query.id,
        "source": asked.query.source,
        "row": asked.query.row,
        "scenario": [scenario.urgency, scenario.uncertainty, scenario.expertise, scenario.task_type],
        "principles": [f"{guide.id}@{guide.version}" for guide in asked.guides],
        "made_from": [item.principle for item in kept],
        "pass_rates": [round(rate, 3) for rate in rates],
        "left_out": sorted(reason.value for _, reason in left),
        **facts,
    }
    return Done(row([{"role": "user", "content": asked.query.text}], rubric, extra=extra))
