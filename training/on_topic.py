"""On topic: a draft and the exemplars of its prompt's principles in, whether each of its sentences is wanted out."""

from collections.abc import Sequence

from service.prompts.sentences import split
from training.dialogues.library import Exemplar


def on_topic(written: str, exemplars: Sequence[Exemplar], *, found: str = "") -> list[bool]:
    """Of each sentence after the line that says the question back: whether a principle of the prompt wants it.

    Only known wordings count. `found` is the sentence that repeats what a tool answered.
    """
    rest = written.partition("\n")[2].replace(found, "", 1)
    outcomes: list[bool] = []
    wordings = [(text, exemplar.wanted) for exemplar in exemplars for text in exemplar.does]
    for text, wanted in sorted(wordings, key=lambda pair: -len(pair[0])):
        if text in rest:
            rest = rest.replace(text, "", 1)
            outcomes.append(wanted)
    return outcomes + [False for sentence in split(rest) if sentence.strip()]
