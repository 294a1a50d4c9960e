"""Real questions, asked with the principles that the store finds for them, and whether drafts say them back right.

The file is JSONL with a `Question` or a `question` in each row. Nothing of it is kept but counts.
"""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from principles_store.paths import Places
from principles_store.store import PrinciplesStore
from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.prompts.base import base
from training.dialogues.library import Library, Principle
from training.dialogues.scenes import quote_of
from training.intervals import share
from training.llama import Llama
from training.on_topic import on_topic

FIRST = 200
_REPLY_TOKENS = 320
_NEAR = 10
# As the service's retrieval has it; its scenario and red flags play no part here.
_NEAREST, _RELATIVE = 0.25, 0.7
_SAID = re.compile(r'"(.*)"', re.DOTALL)


def figures(model: Llama, path: Path, *, library: Library) -> dict[str, Any]:
    """Shares over the first questions of the file."""
    asked = list(itertools.islice(_questions(path), FIRST))
    places = Places.from_environment()
    store = PrinciplesStore.open(places.principles, places.encoder, places.index, precision=places.precision)
    known = {principle.id: principle for principle in library.principles}
    drafts = [_draft(model, question, _near(store, question, known)) for question in asked]
    claims = [(question, said(written)) for question, (written, _) in zip(asked, drafts, strict=True)]
    return {
        "questions": len(asked),
        "draft_says_the_question_back": share(claim == quote_of(question) for question, claim in claims).to_json(),
        "what_it_says_back_stands_in_the_question": share(
            bool(claim) and claim in question for question, claim in claims
        ).to_json(),
        "word_it_says_back_stands_in_the_question": share(
            word in question.split() for question, claim in claims for word in claim.split()
        ).to_json(),
        "draft_sentence_is_on_topic": share(outcome for _, outcomes in drafts for outcome in outcomes).to_json(),
    }


def said(written: str) -> str:
    """What a draft claims to repeat: all between the quotation marks of its first line; empty where it has none."""
    found = _SAID.search(written.partition("\n")[0])
    return found[1] if found else ""


def _questions(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            yield str(row.get("Question") or row["question"]).strip()


def _near(store: PrinciplesStore, question: str, known: dict[str, Principle]) -> list[Principle]:
    """What always applies, then the nearest."""
    hits = store.consult(question, limit=_NEAR)
    floor = max([_NEAREST, *(_RELATIVE * match.similarity for match in hits.nearest)])
    near = [match for match in hits.nearest if match.similarity >= floor]
    ids = dict.fromkeys(match.principle.id for match in (*hits.always_on, *near))
    return [known[name] for name in ids][:_NEAR]


def _draft(model: Llama, question: str, guide: Sequence[Principle]) -> tuple[str, list[bool]]:
    conversation = Conversation((Message(Role.USER, question),))
    prompt = base(conversation, principles=[p.statement for p in guide], audience=Audience.PATIENT)
    written = model.reply(prompt, most=_REPLY_TOKENS)
    return written, on_topic(written, [e for p in guide for e in p.exemplars])
