"""An alignment run as its TOML says it: one file, one seed; a key that is not known stops it."""

import hashlib
import json
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

_Section = TypeVar("_Section")


class BadRun(ValueError):
    """The TOML cannot be run; the message names section and key."""


@dataclass(frozen=True, slots=True)
class Data:
    """`rows` is a file of synthesised rows; beside it the generator makes `tasks` of so many `dialogues`.

    GRPO takes blocks of as many prompts as a batch holds, each of one kind, in the order of `tasks`; of generated tasks
    only those with a prompt of at most `longest` letters. `grave` dialogues more are of refusals and emergencies.
    `sharp` points are for what must be exact.

    One row in `held_out_one_in` is for evaluation, by a digest of its id, whatever file it comes in.
    """

    rows: str = ""
    dialogues: int = 0
    grave: int = 0
    tasks: tuple[str, ...] = ("draft",)
    longest: int = 100_000
    sharp: float = 10.0
    held_out_one_in: int = 10
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Synthesis:
    """Rows made before training from a file of unlabelled `queries`, by a model at `url`; without one, a rehearsal.

    Prices are of a million tokens; the model judges too, and a judge's price below 0 is the writer's.
    """

    queries: str = ""
    url: str = ""
    model: str = "default"
    samples: int = 4
    limit: int = 0
    concurrency: int = 32
    prompt_price: float = 0.0
    completion_price: float = 0.0
    judge_prompt_price: float = -1.0
    judge_completion_price: float = -1.0


@dataclass(frozen=True, slots=True)
class Gate:
    """How many held-out dialogues of each group the result is held against its base on, and by which judge.

    With `candidate_url`, `incumbent_url` and `judge_url`, all three or none, nothing is served here: the result and the
    base are asked by URL, and the run's own held-out rows are what is answered. Another form than our small one has no
    other gate. The judge is not the reward's.
    """

    dialogues: int = 60
    seed: int = 11
    judge: str = "training/checkpoints/clinalign-judge"
    candidate_url: str = ""
    incumbent_url: str = ""
    judge_url: str = ""
    judge_model: str = "default"
    concurrency: int = 32

    @property
    def urls(self) -> tuple[str, str, str]:
        """Of the candidate, the incumbent and the judge."""
        return self.candidate_url, self.incumbent_url, self.judge_url


@dataclass(frozen=True, slots=True)
class Reward:
    """Who gives the reward: the wordings that the generator knows, and where it knows none a model by `url`."""

    url: str = ""
    model: str = "default"
    concurrency: int = 32
    allowed_words: int = 250
    length_slope: float = 0.5
    form_weight: float = 0.1


@dataclass(frozen=True, slots=True)
class Rollouts:
    """`samples` answers a prompt, of which SFT takes the best and DPO the best and the worst.

    `url` is a server of the very base checkpoint; without one transformers writes them in this process. With
    `shared_prompts` GRPO computes each prompt once for all of its samples: in one process.
    """

    samples: int = 4
    temperature: float = 1.0
    max_tokens: int = 512
    batch: int = 8
    url: str = ""
    model: str = "default"
    shared_prompts: bool = False


@dataclass(frozen=True, slots=True)
class Lora:
    """Train adapters instead of all weights."""

    rank: int = 16
    alpha: int = 32
    targets: str = "all-linear"


@dataclass(frozen=True, slots=True)
class _Run:
    """The section [run], all of which is wanted."""

    name: str = ""
    seed: int = 0
    base: str = ""
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """One optimiser: `kind` is dialogues, sft, dpo or grpo.

    `options` go to TRL's config of that kind as they are; those of dialogues are `training.supervised`'s.
    """

    kind: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlignConfig:
    """The run. `stages` follow one another, each from the weights of the one before."""

    name: str
    seed: int
    base: str
    stages: tuple[Stage, ...]
    data: Data = field(default_factory=Data)
    reward: Reward = field(default_factory=Reward)
    rollouts: Rollouts = field(default_factory=Rollouts)
    lora: Lora | None = None
    synthesis: Synthesis | None = None
    gate: Gate = field(default_factory=Gate)
    text: str = ""

    @property
    def folder(self) -> Path:
        """Where the run keeps everything; git ignores it."""
        return Path("build/training") / self.name

    @property
    def digest(self) -> str:
        """Of what the TOML says of the training: a run's folder belongs to one."""
        said = {name: section for name, section in self.raw.items() if name != "gate"}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def raw(self) -> dict[str, Any]:
        """The TOML as it stands."""
        return tomllib.loads(self.text)

    @property
    def synthesised(self) -> Path:
        """The folder of its synthesis."""
        return self.folder / "synthesis"


_WORDS: Final[dict[type, str]] = {
    str: "a text, in quotation marks",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of texts",
}
KINDS = ("dialogues", "sft", "dpo", "grpo")


def read(path: Path) -> AlignConfig:
    """Reads one TOML.

    Raises:
        BadRun: a section or a key is missing, not known, or of the wrong kind.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors put a mark before the first letter
        raw = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRun(f"{path}: {error}") from error
    for name, section in raw.items():
        if name not in {"run", "data", "synthesis", "reward", "rollouts", "lora", "gate", *KINDS}:
            raise BadRun(f"{path}: [{name}] is not a section of a run")
        if not isinstance(section, dict):
            raise BadRun(f"{path}: {name} should be a section: a line [{name}], and its keys below it")
    run = _run(raw, path)
    if idle := sorted((raw.keys() & set(KINDS)) - set(run.stages)):
        raise BadRun(f"{path}: [{idle[0]}] is none of the stages that [run] stages names: {', '.join(run.stages)}")
    return AlignConfig(
        name=run.name,
        seed=run.seed,
        base=run.base,
        stages=tuple(Stage(kind, raw.get(kind, {})) for kind in run.stages),
        data=_section(Data, raw, "data", path),
        reward=_section(Reward, raw, "reward", path),
        rollouts=_section(Rollouts, raw, "rollouts", path),
        lora=_section(Lora, raw, "lora", path) if "lora" in raw else None,
        synthesis=_section(Synthesis, raw, "synthesis", path) if "synthesis" in raw else None,
        gate=_section(Gate, raw, "gate", path),
        text=text,
    )


def _run(raw: dict[str, Any], path: Path) -> _Run:
    run = _section(_Run, raw, "run", path)
    if missing := sorted({f.name for f in fields(_Run)} - raw.get("run", {}).keys()):
        raise BadRun(f"{path}: [run] wants {missing[0]}")
    if not run.name:
        raise BadRun(f"{path}: [run] name should not be empty: the run's folder has it")
    if not run.stages or not set(run.stages) <= set(KINDS):
        raise BadRun(f"{path}: [run] stages: each is one of {', '.join(KINDS)}")
    if len(set(run.stages)) < len(run.stages):
        raise BadRun(f"{path}: [run] stages: each may come once, since its folder has its name")
    return run


def _section(kind: type[_Section], raw: dict[str, Any], name: str, path: Path) -> _Section:
    given = raw.get(name, {})
    known = {f.name: type(f.default) for f in fields(kind)}  # type: ignore[arg-type]  # each is a dataclass
    for key, value in given.items():
        if key not in known:
            raise BadRun(f"{path}: [{name}] {key} is not known; it has {', '.join(known)}")
        wanted = known[key]
        if wanted is tuple and isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            continue
        if not isinstance(value, (int, float) if wanted is float else wanted) or isinstance(value, bool) is not (
            wanted is bool
        ):
            raise BadRun(f"{path}: [{name}] {key} should be {_WORDS[wanted]}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
