"""The small judge as the pipeline's `Judge`: a reader of our own, away from the event loop."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self

from service.domain.answer import Candidate
from service.domain.assessment import Assessment, Criterion
from service.domain.completion import Usage
from service.domain.conversation import Conversation, Role
from service.domain.verdict import Verdict
from service.entailment.reader import UNKNOWN, AnswerReader
from service.pipeline.screen.language import language_of

ENGLISH = "en"


class SmallJudge:
    """Implements `Judge`. Of the question it reads only what a criterion's words need not say again.

    What it was not trained to read is unknown: other languages, tool calls, very long texts. `aclose` it at the end.
    """

    def __init__(self, reader: AnswerReader, *, threads: int = 1) -> None:
        self._reader = reader
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="small-judge")

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Open the folder of a trained judge; at most `threads` answers are read at once.

        Raises:
            SettingsError: the folder cannot be used.

        """
        return cls(AnswerReader.load(folder), threads=threads)

    @property
    def name(self) -> str:
        """Name and version, and the first digits of the manifest's hash."""
        manifest = self._reader.manifest
        return f"{manifest.name}@{manifest.version}+{self._reader.digest[:12]}"

    @property
    def digest(self) -> str:
        """SHA-256 of its manifest, which names every file that it judges with."""
        return f"sha256:{self._reader.digest}"

    @property
    def calibrated(self) -> bool:
        """Its threshold was fitted to physicians' labels."""
        return True

    async def judge(
        self, assessment: Assessment, candidate: Candidate, criteria: Sequence[Criterion]
    ) -> tuple[tuple[Verdict, ...], Usage]:
        """One verdict a criterion, in their order, at no cost in tokens. What cannot be read in time is unknown."""
        unknown = tuple(Verdict(criterion, UNKNOWN) for criterion in criteria)
        if candidate.tool_calls or not criteria or not readable(candidate.text):
            return unknown, Usage()
        texts = [criterion.text for criterion in criteria]
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(assessment.enquiry.deadline.remaining()):
                read = partial(
                    self._reader.read, candidate.text, texts, question=asked(assessment.enquiry.conversation)
                )
                found = await loop.run_in_executor(self._pool, read)
        except TimeoutError:
            return unknown, Usage()
        return tuple(Verdict(c, presence) for c, presence in zip(criteria, found, strict=True)), Usage()

    async def aclose(self) -> None:
        """Let what is being read end, and begin nothing more."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)


def asked(conversation: Conversation) -> str:
    """What the person said last; empty where nobody did."""
    return next((m.content for m in reversed(conversation.messages) if m.role is Role.USER), "")


def readable(text: str) -> bool:
    """Whether it is in the language that the reader was trained on."""
    return language_of(text) == ENGLISH
