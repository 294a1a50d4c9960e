"""Export: the last stage's checkpoint and its base come in; a folder that is served and published goes out.

Tokenizer, chat template and generation settings are the base's to the byte: training changes weights and nothing else.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from training.align.config import AlignConfig
from training.export import manifest, model_card, provenance

_OF_THE_BASE: Final = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)


def export(config: AlignConfig, made: Path) -> Path:
    """Writes `<run>/export`, where the base is a checkpoint of ours.

    Any other result gets its card and manifest where the stage left it: a copy of its weights would be another 60 GB.

    Raises:
        CheckpointRefused: it has not the form that the gateway serves.

    """
    base = Path(config.base)
    if not manifest.has_small_form(base):
        _tell(config, made)
        return made
    out, partial = config.folder / "export", config.folder / "export.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    shutil.copy(made / "model.safetensors", partial)
    shape: dict[str, Any] = json.loads((made / "config.json").read_text(encoding="utf-8"))
    (partial / "config.json").write_text(json.dumps({**shape, "use_cache": True}, indent=2) + "\n", encoding="utf-8")
    for name in _OF_THE_BASE:
        shutil.copy(base / name, partial)
    facts = _facts(config, base)
    (partial / "README.md").write_text(model_card.card(facts, None), encoding="utf-8")
    manifest.seal(partial, facts)
    shutil.rmtree(out, ignore_errors=True)
    partial.replace(out)
    return out


def _tell(config: AlignConfig, made: Path) -> None:
    """Once: what has a manifest does not change any more."""
    if (made / manifest.NAME).exists():
        return
    facts = {
        "name": config.name,
        "base": Path(config.base).name,
        "git_revision": provenance.revision(),
        "aligned": _aligned(config),
    }
    (made / "README.md").write_text(model_card.other_card(facts), encoding="utf-8")
    manifest.seal(made, facts, small=False)


def _facts(config: AlignConfig, base: Path) -> dict[str, Any]:
    """The base's, and what was done to it."""
    known = {name: fact for name, fact in manifest.read(base).items() if name not in {"files", "gguf_sha256"}}
    aligned = _aligned(config)
    own = _supervised(config, known["run"]["shape"], aligned["stages"])
    return {**known, **own, "git_revision": provenance.revision(), "data": provenance.sources(), "aligned": aligned}


def _aligned(config: AlignConfig) -> dict[str, Any]:
    """What the run's stages did, from its own records."""
    run = _json(config.folder / "run.json")
    scored = _json(config.folder / "figures.json")
    stages = {stage.kind: _json(config.folder / stage.kind / "checkpoint" / "done.json") for stage in config.stages}
    return {
        "run": config.raw,
        "stages": stages,
        "reward": {
            kind: _reward(config, kind, scored[f"reward_{kind}"]) for kind in stages if f"reward_{kind}" in scored
        },
        "base_weights": run["base"],
        "began_at": run["git_revision"],
    }


def _supervised(config: AlignConfig, shape: dict[str, Any], stages: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the supervised stage did; of a run without one these facts stay the base's."""
    stage = next((stage for stage in config.stages if stage.kind == "dialogues"), None)
    if stage is None or not (done := stages[stage.kind]):
        return {}
    base = Path(config.base)
    start = {"start": config.base, "start_sha256": provenance.file_sha256(base / "model.safetensors")}
    run = {
        "run": {"name": config.name, "seed": config.seed, **start},
        "shape": shape,
        "schedule": {"steps": stage.options["steps"]},
    }
    return {
        "steps": done["steps"],
        "tokens": done["tokens"],
        "held_out_score": done["score"],
        "run": run,
        "editions_before": manifest.editions_to(base, start["start_sha256"]),
    }


def _reward(config: AlignConfig, kind: str, told: dict[str, Any]) -> dict[str, Any]:
    """What was scored for a stage, by whom, and the mean reward of the first and the last tenth of its steps."""
    rows = _json(config.folder / kind / "checkpoint" / "metrics.json")
    steps = [row["reward"] for row in rows if row.get("reward") is not None]  # None: the judge failed of all samples
    tenth = max(1, len(steps) // 10)
    means = [sum(some) / tenth for some in (steps[:tenth], steps[-tenth:])]
    return {**told, "mean": means} if steps else told


def _json(path: Path) -> Any:
    """Empty where a kill came before the run could write it."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
