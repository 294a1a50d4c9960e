"""The evaluation's part on questions outside health: a report comes in, Markdown goes out."""

from typing import Final

from service.pipeline.evaluation.outside import OutsideReport

_WORST: Final = 6


def part(report: OutsideReport) -> str:
    """A part of the section "Scenario"."""
    rows = [
        f"| {one.source} | {one.half.value} | {one.outside.hits} / {one.outside.total} | {one.outside.value:.3f} | "
        f"{one.outside.interval[0]:.3f} to {one.outside.interval[1]:.3f} |"
        for one in report.counted
    ]
    worst = sorted(report.families.items(), key=lambda item: (item[1].value, item[0]))[:_WORST]
    told = ", ".join(f"{name.replace('_', ' ')} {share.hits}/{share.total}" for name, share in worst)
    return f"""### Questions outside health

How many are read as outside health, as served: never with a red flag, never in a language that may not be read, never
with a passage that reads as a question about health, never where a text has too many passages to read. For texts about
something else the share is what is caught; for all others it is false, and means that the answer is held to two
criteria rather than to those of its subject. A question about a sick animal counts as one about health: it is told in
the words of a person's illness, and doses and poisons are in it.

A head on the encoder's vector (`principles_store/topic.py`), fitted on {report.examples} texts of our own; the labelled
queries are among them. Our own are read by heads that saw no text of their family (five folds); K-QA, HealthBench and
one MedQuAD question in five, by hash, by the head that ships, which saw none of them. The threshold ({report.threshold}) is the
highest at which no more than 0.5 % of the tuning half of any of these three were read so; that of a passage ({report.passage}) was
set on padded questions. Families and rows are split by hash. Of the real questions `reporting` was counted once, when
all was chosen, and not looked at; our own texts of both halves were written and read by whoever chose.

| texts | half | read as outside health | share | 95 % |
|---|---|---|---|---|
{chr(10).join(rows)}

Least caught of the reported families: {told}. The head takes {report.milliseconds:.2f} ms (median) once the text is
encoded; a text that seems to lie outside is encoded once more for each of its passages.

**What it can't do.** HealthBench's first turns hold some that are about something else, and they count as false here. A
short question that needs what was said before it (`What about the other one?`) is read alone by this count, and with
the turns before it when served. What is about something else in several sentences is in doubt as soon as one of them
could be said to a doctor (`I can't sleep.`), and what is in doubt is about health.
"""
