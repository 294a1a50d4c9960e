"""What a run needs to be there before its first hour: a TOML's settings come in; what is missing is said."""

import subprocess
from pathlib import Path

from training.align.config import AlignConfig, BadRun
from training.environments import TRAINING
from training.export import manifest

_WEIGHTS = "put a checkpoint's folder there (the head of the TOML may say from where), or name another"

_INSTALL = "run `make install-align`"
_MISSING = "ModuleNotFoundError"

_ROLLED_OUT = ("sft", "dpo")


def need_all(config: AlignConfig) -> None:
    """What a whole run needs, from synthesis to the gate.

    Raises:
        BadRun: something is not there, or cannot be served here; the message says what to do.

    """
    # Without a judge's server the synthesis' own gives the reward too.
    need_for_training(config, judged=config.synthesis is not None)
    if config.synthesis is not None:
        _need_file(config.synthesis.queries, "[synthesis] queries", "name a file of queries: JSONL, CSV or Parquet")
        if not config.synthesis.url and not is_ours(config):
            raise BadRun(f"[synthesis] url: {config.base} is not served here, as a rehearsal wants; name a server")
    _need_gate(config)


def need_options(toml: Path, python: Path = TRAINING) -> None:
    """Asks the training environment, once and before anything is spent, whether the stages' options are TRL's.

    Raises:
        BadRun: they are not, or the environment is not there.

    """
    if not python.is_file():
        raise BadRun(f"the optimisers need the training environment: {_INSTALL}")
    command_line = [str(python), "-m", "training.align.run", "--check", str(toml)]
    done = subprocess.run(command_line, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BadRun(f"the training environment lacks a package ({said}): {_INSTALL}" if _MISSING in said else said)


def need_for_training(config: AlignConfig, *, judged: bool = False) -> None:
    """What the optimisers need; `judged`: there is a judge of whom the TOML says nothing.

    Raises:
        BadRun: the base or the rows are not there, or nobody would judge by their rubrics, or a later stage would be
            written by the base's server.

    """
    _need_weights(Path(config.base), "[run] base")
    if late := [stage.kind for stage in config.stages[1:] if stage.kind in _ROLLED_OUT and config.rollouts.url]:
        raise BadRun(
            f"[rollouts] url: a server of the base answers for the first stage alone, and {late[0]} wants answers of "
            "the stage before it: leave url out, or make it a run of its own from that stage's checkpoint"
        )
    if config.data.rows:
        way = f"make it by `clinalign train synthesize QUERIES --out {Path(config.data.rows).parent}`"
        _need_file(config.data.rows, "[data] rows", way)
    rewarded = any(stage.kind != "dialogues" for stage in config.stages)
    if rewarded and (config.data.rows or config.synthesis) and not (config.reward.url or judged):
        raise BadRun(
            "[reward] url: the rubrics of synthesised rows are read by a model alone; name the judge's server, as in "
            'url = "http://127.0.0.1:8001/v1", and its model'
        )


def is_ours(config: AlignConfig) -> bool:
    """Whether the base is a checkpoint of our small form, which is exported, and served here by llama.cpp."""
    return manifest.has_small_form(Path(config.base))


def _need_gate(config: AlignConfig) -> None:
    """Our form is served here; any other has to be served by somebody else, and is known before the GPUs' hours."""
    gate = config.gate
    if any(gate.urls):
        if not all(gate.urls):
            raise BadRun("[gate] candidate_url, incumbent_url and judge_url: name all three, or none")
        if (gate.judge_url, gate.judge_model) == (config.reward.url, config.reward.model):
            raise BadRun("[gate] judge_url and judge_model: the judge gives the reward; the gate's is to be another")
        return
    if not is_ours(config):
        raise BadRun(
            f"[gate] {config.base} has not the small form that the gate serves itself: name candidate_url, "
            "incumbent_url and judge_url (training/runs/README.md), or train by `clinalign train align` alone, and "
            "measure result and base by `clinalign evaluate healthbench --url`"
        )
    if not Path(gate.judge).is_dir():
        raise BadRun(f"[gate] judge: there is no folder {gate.judge}; {_WEIGHTS}")


def _need_weights(folder: Path, what: str) -> None:
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise BadRun(f"{what}: {folder} is no folder with config.json and safetensors; {_WEIGHTS}")


def _need_file(name: str, what: str, way: str) -> None:
    if not name or not Path(name).is_file():
        raise BadRun(f"{what}: there is no file {name or '(not named)'}; {way}")
