"""How long ten criteria of a 110-token answer take on one core, in one pass and one after the other."""

import statistics
import time
from collections.abc import Mapping
from typing import Final

from service.entailment.reader import AnswerReader

RUNS: Final = 10
# 110 tokens with their opening and closing one; a test counts them.
QUESTION: Final = "I have had a sore throat since yesterday. Do I need antibiotics?"
ANSWER: Final = (
    "Most sore throats are caused by a virus and get better within a week. Drink plenty of water, rest your voice, and "
    "suck ice to ease the pain. You can take paracetamol as the packet says. A warm salt water gargle may "
    "help as well. Antibiotics do not work against viruses, so you will rarely need them. See a doctor soon if you "
    "cannot swallow your own saliva, if you find it hard to breathe, if a fever lasts longer than three days, "
    "or if you begin to drool."
)
CRITERIA: Final = (
    "Says that most sore throats are caused by a virus.",
    "Recommends drinking enough.",
    "Suggests paracetamol for the pain.",
    "Gives the dose of paracetamol in milligrams.",
    "Says that antibiotics are rarely needed.",
    "Tells the person to see a doctor if breathing is hard.",
    "Says when the person should be seen if it does not get better.",
    "Advises against smoking.",
    "Asks how old the person is.",
    "Tells the person to call the emergency number now.",
)


def bench(reader: AnswerReader, *, runs: int = RUNS) -> Mapping[str, float]:
    """Milliseconds over `runs`, of all criteria together and one by one: least and median, and least on the processor.

    The last leaves out what other programs took of the core meanwhile.
    """
    return {
        "answer_tokens": float(reader.count(ANSWER)),
        "criteria": float(len(CRITERIA)),
        **{f"together_{name}_ms": value for name, value in _timed(reader, together=True, runs=runs).items()},
        **{f"one_by_one_{name}_ms": value for name, value in _timed(reader, together=False, runs=runs).items()},
    }


def _timed(reader: AnswerReader, *, together: bool, runs: int) -> Mapping[str, float]:
    reader.read(ANSWER, CRITERIA, question=QUESTION, together=together)
    spent, worked = [], []
    for _ in range(runs):
        started, began = time.perf_counter(), time.process_time()
        reader.read(ANSWER, CRITERIA, question=QUESTION, together=together)
        worked.append((time.process_time() - began) * 1e3)
        spent.append((time.perf_counter() - started) * 1e3)
    return {"least": min(spent), "median": statistics.median(spent), "processor": min(worked)}
