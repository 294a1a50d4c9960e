"""A scene: who asks what. Its `values` are the person's own words, which an answer must repeat to the letter."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from training.dialogues import templates
from training.dialogues.library import Principle
from training.dialogues.words import (
    COMPLAINTS,
    CONDITIONS,
    MEDICINES,
    PARTS,
    TESTS,
    TROUBLES,
    Split,
    Words,
    is_held_out,
)

SLOT = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Scene:
    """`fixed` is a whole reply for questions that need no principles (other languages, off topic); empty otherwise."""

    conversation: Conversation
    audience: Audience
    values: Mapping[str, str]
    fixed: str = ""
    own_language: bool = False


def scene(words: Words, topic: Principle, *, queries: Sequence[str]) -> Scene:
    """A scene on the topic: mostly its own questions and free ones, now and then something else."""
    kind = words.rng.random()
    if kind < 0.04:
        return _foreign(words)
    if kind < 0.06:
        return _off_topic(words)
    if kind < 0.09:
        return _tool(words)
    if kind < 0.17 and queries:
        return _query(words, queries)
    return _asked(words, topic)


def slots_of(template: str) -> tuple[str, ...]:
    """The names of its slots, in order, each once."""
    return tuple(dict.fromkeys(SLOT.findall(template)))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its slots filled."""
    return SLOT.sub(lambda found: values[found[1]], template)


def _asked(words: Words, topic: Principle) -> Scene:
    rng = words.rng
    audience = Audience.CLINICIAN if ".professional" in topic.id or rng.random() < 0.2 else Audience.PATIENT
    template = _template(words, topic, audience)
    values = {slot: words.value(slot) for slot in slots_of(template)}
    template, values = _voice(rng, template, values)
    messages = _turns(words, template, values)
    return Scene(Conversation((*_app(words), *messages)), audience, values)


def _template(words: Words, topic: Principle, audience: Audience) -> str:
    rng = words.rng
    if topic.questions and rng.random() < 0.5:
        return rng.choice(topic.questions)
    own = (
        templates.CLINICIAN_QUESTIONS if audience is Audience.CLINICIAN and rng.random() < 0.7 else templates.QUESTIONS
    )
    return _of_split(rng, own, words.split)


def _of_split(rng: random.Random, wordings: Sequence[str], split: Split) -> str:
    wanted = split is Split.HELD_OUT
    return rng.choice([wording for wording in wordings if is_held_out(wording) is wanted] or wordings)


def _voice(rng: random.Random, template: str, values: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Typos and case: the words that fill slots change their case with the rest, but are never misspelt."""
    if rng.random() < 0.25:
        template = _misspell(rng, template)
    if rng.random() < 0.35:
        return _lower(template), {slot: text.lower() for slot, text in values.items()}
    if rng.random() < 0.03:
        return SLOT.sub(lambda found: found[0].lower(), template.upper()), {
            slot: text.upper() for slot, text in values.items()
        }
    return template, values


def _lower(template: str) -> str:
    text = template.lower()
    return text.rstrip(".?") if text.endswith((".", "?")) else text


def _misspell(rng: random.Random, template: str) -> str:
    """One or two slips in the words outside slots."""
    words = template.split(" ")
    for _ in range(rng.choice((1, 2))):
        place = rng.randrange(len(words))
        word = words[place]
        if "{" in word or "}" in word or len(word) < 4:
            continue
        at = rng.randrange(1, len(word) - 1)
        words[place] = rng.choice(
            (
                word[:at] + word[at + 1 :],
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                word[:at] + word[at] + word[at:],
            )
        )
    return " ".join(words)


def _turns(words: Words, template: str, values: Mapping[str, str]) -> tuple[Message, ...]:
    rng = words.rng
    asked = fill(template, values)
    asked = asked[:1].upper() + asked[1:] if template[:1] == "{" and rng.random() < 0.3 else asked
    asked = _surrounded(rng, asked)
    kind = rng.random()
    if kind < 0.08:
        reply = rng.choice(
            ("Hello. How can I help you?", "Hi, what can I do for you today?", "Good day. What is it about?")
        )
        return (
            Message(Role.USER, rng.choice(("hi", "Hello", "hey there", "Good evening."))),
            Message(Role.ASSISTANT, reply),
            Message(Role.USER, asked),
        )
    if kind < 0.16:
        reply = rng.choice(("Can you tell me more?", "I see. Is there anything else?", "What would you like to know?"))
        more = rng.choice(
            (
                "What should I do now?",
                "no, that is all. what now",
                "Is it serious?",
                "I just want some advice.",
                "what do you think?",
            )
        )
        return Message(Role.USER, asked), Message(Role.ASSISTANT, reply), Message(Role.USER, more)
    return (Message(Role.USER, asked),)


def _surrounded(rng: random.Random, asked: str) -> str:
    kind = rng.random()
    before = " ".join(rng.sample(templates.BEFORE, rng.choice((1, 1, 2, 3)))) if kind > 0.45 else ""
    after = " ".join(rng.sample(templates.AFTER, rng.choice((1, 1, 2)))) if kind > 0.65 or 0.3 < kind < 0.45 else ""
    return " ".join(piece for piece in (before, asked, after) if piece)


def _app(words: Words) -> tuple[Message, ...]:
    if words.rng.random() > 0.15:
        return ()
    text = words.rng.choice(templates.APPS)
    place = f"{words.invented().capitalize()} {words.rng.choice(('Health', 'Clinic', 'Care', 'Hospital'))}"
    return (Message(Role.SYSTEM, text.format(name=words.invented().capitalize(), place=place)),)


def _foreign(words: Words) -> Scene:
    question, reply = words.rng.choice(templates.LANGUAGES)
    number = str(words.rng.randint(2, 900))
    said = Conversation((Message(Role.USER, question.format(n=number)),))
    return Scene(said, Audience.PATIENT, {"reading": number}, reply.format(n=number), own_language=True)


def _off_topic(words: Words) -> Scene:
    question, reply = words.rng.choice(templates.OFF_TOPIC)
    thing = words.rng.choice(templates.THINGS) if words.rng.random() < 0.5 else words.invented()
    said = Conversation((*_app(words), Message(Role.USER, question.format(thing=thing))))
    return Scene(said, Audience.PATIENT, {}, reply.format(thing=thing))


def _tool(words: Words) -> Scene:
    """The last turn is a tool's: the answer repeats what the tool found."""
    values = {"test": words.value("test"), "reading": words.value("reading")}
    question = words.rng.choice(
        ("What was my last {test}?", "Look up my {test} please.", "show {test}", "Is my {test} all right?")
    )
    found = json.dumps({"test": values["test"], "value": values["reading"]}, ensure_ascii=False)
    asked, looked, result = (
        fill(question, values),
        Message(Role.ASSISTANT, "I will look it up."),
        Message(Role.TOOL, found),
    )
    return Scene(Conversation((*_app(words), Message(Role.USER, asked), looked, result)), Audience.PATIENT, values)


def _query(words: Words, queries: Sequence[str]) -> Scene:
    """A real-life question; the longest words of ours that stand in it are taken for the person's own."""
    text = words.rng.choice(queries)
    found = _longest_of(
        text, {"symptom": (*COMPLAINTS, *_PAINS), "medicine": MEDICINES, "condition": CONDITIONS, "test": TESTS}
    )
    return Scene(
        Conversation((*_app(words), Message(Role.USER, _surrounded(words.rng, text)))), Audience.PATIENT, found
    )


_PAINS = tuple(f"{part} {trouble}" for part in PARTS for trouble in TROUBLES) + TROUBLES


def _longest_of(text: str, names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    found = {}
    for slot, candidates in names.items():
        bare = {re.sub(r"^(?:an?|the) ", "", name) for name in candidates}
        hits = [hit for name in bare if (hit := re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE))]
        if hits:
            found[slot] = max((hit[0] for hit in hits), key=lambda hit: (len(hit), hit))
    return found
