"""An answer and claims in, a probability for each claim out: the small judge's network, hash-checked, without torch."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from tokenizers import Tokenizer

from service.domain.errors import SettingsError
from service.domain.verdict import Presence
from service.entailment.calibration import NEARNESS, Evidence, Head
from service.entailment.form import is_act
from service.entailment.lexical import AnswerWords
from service.entailment.packing import pack
from service.entailment.windows import windows

MANIFEST: Final = "manifest.json"
UNKNOWN: Final = Presence(None)
# Longer answers are not judged: what an hour of reading would find is not worth an hour.
_MOST_WINDOWS: Final = 24
_MOST_CHARACTERS: Final = 40_000
_MOST_QUESTION_CHARACTERS: Final = 1_000
_QUESTION_TOKENS: Final = 64
_SPECIAL_TOKENS: Final = 2


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JudgeManifest(_Record):
    """What `manifest.json` says: the files with their hashes, the lengths trained on, and how evidence is read.

    `head` was fitted on all labelled rows. `heads` are the same fit without one fold each, and `folds` tells which
    one has not seen a question (by its key): with it, evaluation on these questions is still held out. `acts` is for
    criteria that name what an answer does: nobody labelled those, so it was fitted on rows that were written here, and
    it has a band in which it doesn't know. The network was trained on texts about `seen_questions`, though on none of
    their labels.
    """

    name: str
    version: str
    network: str
    files: dict[str, str]
    answer_tokens: PositiveInt
    claim_tokens: PositiveInt
    head: Head
    acts: Head | None = None
    heads: tuple[Head, ...] = ()
    folds: dict[str, int] = {}
    seen_questions: tuple[str, ...] = ()
    baselines: dict[str, tuple[float, ...]] = {}
    trained_on: tuple[dict[str, str], ...] = ()

    def head_for(self, criterion: str, key: str = "") -> Head:
        """The head that was fitted without this question; the one of all rows where no head has seen it."""
        if self.acts is not None and is_act(criterion):
            return self.acts
        fold = self.folds.get(key)
        return self.head if fold is None else self.heads[fold]


class AnswerReader:
    """Reads answers. Safe to share by threads; never raises for a text."""

    def __init__(self, manifest: JudgeManifest, tokenizer: Any, session: Any, *, digest: str) -> None:
        self.manifest = manifest
        self.digest = digest
        self._tokenizer = tokenizer
        self._session = session

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Open a folder after checking the hash of every file that its manifest names.

        Raises:
            SettingsError: a file is missing, unreadable, or not the one that the manifest names.

        """
        manifest = read_manifest(folder)
        for name, expected in manifest.files.items():
            _check(folder / name, expected)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        return cls(manifest, tokenizer, _session(folder / manifest.network, threads), digest=digest)

    def read(
        self, answer: str, claims: Sequence[str], *, question: str = "", together: bool = True
    ) -> tuple[Presence, ...]:
        """Whether the answer tells each claim. Unknown where a text is empty or longer than can be read.

        What the question says is never said by the answer: a claim's words that it names only count for less.
        """
        found = self.evidence(answer, claims, question=question, together=together)
        return tuple(
            decide(evidence, self.manifest.head_for(claim)) for claim, evidence in zip(claims, found, strict=True)
        )

    def count(self, text: str) -> int:
        """Tokens of a text, its opening and closing ones among them."""
        return len(self._tokens(text))

    def evidence(
        self, answer: str, claims: Sequence[str], *, question: str = "", together: bool = True
    ) -> tuple[Evidence | None, ...]:
        """What speaks for each claim, of all claims in one pass or of one after the other. None cannot be read."""
        parts = self._windows(answer)
        asked = [self._tokens(claim) for claim in claims]
        sound = [at for at, ids in enumerate(asked) if _SPECIAL_TOKENS < len(ids) <= self.manifest.claim_tokens]
        found: list[Evidence | None] = [None] * len(claims)
        if not parts or not sound:
            return tuple(found)
        words, topic = AnswerWords(answer), self._topic(question)
        rounds = [sound] if together else [[at] for at in sound]
        for group in rounds:
            read = np.stack([self._read(ids, [asked[at] for at in group], topic) for ids in parts]).max(axis=0)
            for at, (logit, *nearness) in zip(group, read.tolist(), strict=True):
                found[at] = Evidence(logit, tuple(nearness), words.compare(claims[at]))
        return tuple(found)

    def _windows(self, answer: str) -> list[list[int]]:
        """Token ids of each window; none where the answer is empty or too long to be read."""
        if not answer.strip() or len(answer) > _MOST_CHARACTERS:
            return []
        most = self.manifest.answer_tokens
        texts = windows(
            answer, most=most - _SPECIAL_TOKENS, count=lambda text: len(self._tokens(text)) - _SPECIAL_TOKENS
        )
        parts = [self._tokens(text)[:most] for text in texts]
        return parts if len(parts) <= _MOST_WINDOWS else []

    def _topic(self, question: str) -> list[int]:
        """Token ids of the question's end: what is asked mostly stands there."""
        ids = self._tokens(question[-_MOST_QUESTION_CHARACTERS:]) if question.strip() else []
        return ids if len(ids) <= _QUESTION_TOKENS else [ids[0], *ids[1 - _QUESTION_TOKENS :]]

    def _read(
        self, answer: Sequence[int], claims: Sequence[Sequence[int]], topic: Sequence[int]
    ) -> NDArray[np.float32]:
        """Logit and nearness of each claim, [claims, 1 + nearness]."""
        row = pack(answer, claims, topic)
        inputs = {"ids": row.ids, "positions": row.positions, "segments": row.segments, "wanted": row.wanted}
        try:
            logits, nearness = self._session.run(
                ["logits", "nearness"], {name: values[None, :] for name, values in inputs.items()}
            )
        except Exception:  # noqa: BLE001 - ONNX Runtime raises bare subclasses of Exception of its own
            return np.full((len(claims), 1 + len(NEARNESS)), np.nan, dtype=np.float32)  # no number is no verdict
        return np.concatenate([logits[0][:, None], nearness[0]], axis=1, dtype=np.float32)

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids


def decide(evidence: Evidence | None, head: Head) -> Presence:
    """The verdict that the evidence gives by this head."""
    probability = head.probability(evidence) if evidence is not None else None
    return UNKNOWN if probability is None else Presence(head.told(probability), probability)


def read_manifest(folder: Path) -> JudgeManifest:
    """Read `manifest.json`.

    Raises:
        SettingsError: it is missing, or does not fit.

    """
    path = folder / MANIFEST
    try:
        return JudgeManifest.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: the small judge has no manifest there") from error
    except (ValidationError, ValueError) as error:
        raise SettingsError(f"{path}: is not the manifest of a small judge") from error


def question_key(question: str) -> str:
    """What stands for a question where its words must not be kept."""
    return hashlib.sha256(" ".join(question.lower().split()).encode()).hexdigest()[:16]


def _check(path: Path, expected: str) -> None:
    if not path.is_file():
        raise SettingsError(f"{path}: no such file, though the judge's manifest names it")
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected:
        raise SettingsError(f"{path}: sha256 is {actual}, the judge's manifest says {expected}")


def _session(path: Path, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning pool burns the cores that the rest of the gateway runs on.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises bare subclasses of Exception of its own
        raise SettingsError(f"{path}: ONNX Runtime cannot read it") from error
