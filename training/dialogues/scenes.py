"""A scene: who asks what. Its `values` are the person's own words, which an answer must repeat to the letter."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.prompts.sentences import split
from training.dialogues import templates
from training.dialogues.library import SLOT, Principle, upper
from training.dialogues.words import Split, Words, is_held_out

# As much of the last message as an answer says back: its first sentences.
_QUOTED_SENTENCES = 3
_ENDS = (".", "?", "!")


@dataclass(frozen=True, slots=True)
class Scene:
    """`quote` is what an answer says back of the person's last message; `values` are the words in that which matter.

    `fixed` is a whole reply for questions that need no principles (other languages, off topic); empty otherwise.
    `found` is a sentence with what a tool answered.
    """

    conversation: Conversation
    audience: Audience
    values: Mapping[str, str]
    quote: str = ""
    fixed: str = ""
    found: str = ""
    own_language: bool = False


def scene(words: Words, topic: Principle, *, queries: Sequence[str]) -> Scene:
    """A scene on the topic: mostly its own questions and free ones, now and then something else."""
    kind = words.rng.random()
    if kind < 0.03:
        return _foreign(words)
    if kind < 0.05:
        return _off_topic(words)
    if kind < 0.07:
        return _tool(words)
    if kind < 0.40 and queries:
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
    asked = fill(template, values)
    asked = upper(asked) if template[:1] == "{" and rng.random() < 0.3 else asked
    turns = _turns(rng, _noised(words, asked, share=0.08))
    said = {slot: text for slot, text in values.items() if text in turns[-1].content}
    return Scene(Conversation((*_app(words), *turns)), audience, said, quote_of(turns[-1].content))


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
        return re.sub(r"\{[A-Z]+\}", lambda found: found[0].lower(), template.upper()), {
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


def _noised(words: Words, text: str, *, share: float) -> str:
    """Some of the words exchanged for others, so that the rest of a sentence does not foretell them."""
    rng = words.rng
    if rng.random() < 0.5:
        return text
    found = text.split(" ")
    for at, word in enumerate(found):
        if rng.random() < share and word.isalpha():
            found[at] = rng.choice((words.invented, words.invented, words.name, words.number))()
    return " ".join(found)


def _turns(rng: random.Random, asked: str) -> tuple[Message, ...]:
    before, after = _around(rng)
    text = " ".join(piece for piece in (before, _ended(rng, asked), after) if piece)
    kind = rng.random()
    if kind < 0.06:
        reply = rng.choice(
            ("Hello. How can I help you?", "Hi, what can I do for you today?", "Good day. What is it about?")
        )
        hello = rng.choice(("hi", "Hello", "hey there", "Good evening."))
        return Message(Role.USER, hello), Message(Role.ASSISTANT, reply), Message(Role.USER, text)
    if kind < 0.1:
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
        return Message(Role.USER, text), Message(Role.ASSISTANT, reply), Message(Role.USER, more)
    return (Message(Role.USER, text),)


def _ended(rng: random.Random, asked: str) -> str:
    """The question with its end as people type it."""
    if not asked.endswith(_ENDS) or rng.random() < 0.75:
        return asked
    return asked[:-1] + rng.choice(("", "", " ?", "??", "...", "!", "?!", "."))


def quote_of(asked: str) -> str:
    """The first sentences, as they stand."""
    return "".join(split(asked)[:_QUOTED_SENTENCES]).strip()


def scrambled(rng: random.Random, asked: Scene) -> Scene:
    """The last message with its words in no order: nothing but the message itself foretells what an answer repeats."""
    words = asked.conversation.turns[-1].content.split()
    rng.shuffle(words)
    text = " ".join(words)
    return Scene(Conversation((Message(Role.USER, text),)), asked.audience, {}, quote_of(text))


def _around(rng: random.Random) -> tuple[str, str]:
    kind = rng.random()
    before = rng.choice(templates.BEFORE) if kind > 0.7 else ""
    after = " ".join(rng.sample(templates.AFTER, rng.choice((1, 1, 2)))) if kind > 0.85 or 0.4 < kind < 0.55 else ""
    return before, after


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
    values = {"reading": number}
    return Scene(said, Audience.PATIENT, values, fixed=reply.format(n=number), own_language=True)


def _off_topic(words: Words) -> Scene:
    question, reply = words.rng.choice(templates.OFF_TOPIC)
    thing = words.rng.choice(templates.THINGS) if words.rng.random() < 0.5 else words.invented()
    said = Conversation((*_app(words), Message(Role.USER, question.format(thing=thing))))
    return Scene(said, Audience.PATIENT, {}, fixed=reply.format(thing=thing))


def _tool(words: Words) -> Scene:
    """The last turn is a tool's: the answer repeats what the tool found."""
    values = {"test": words.value("test"), "reading": words.value("reading")}
    question = words.rng.choice(
        ("What was my last {test}?", "Look up my {test} please.", "show {test}", "Is my {test} all right?")
    )
    written = json.dumps({"test": values["test"], "value": values["reading"]}, ensure_ascii=False)
    asked = fill(question, values)
    turns = (
        Message(Role.USER, asked),
        Message(Role.ASSISTANT, "I will look it up."),
        Message(Role.TOOL, written),
    )
    found = f"The record gives {values['reading']} for {values['test']}."
    return Scene(Conversation((*_app(words), *turns)), Audience.PATIENT, values, asked, found=found)


def _query(words: Words, queries: Sequence[str]) -> Scene:
    """A question as people ask it, with some of its words exchanged."""
    asked = words.rng.choice(queries)
    if words.rng.random() < 0.3:
        asked = _lower(asked)
    turns = _turns(words.rng, _noised(words, asked, share=0.2))
    return Scene(Conversation((*_app(words), *turns)), Audience.PATIENT, {}, quote_of(turns[-1].content))
