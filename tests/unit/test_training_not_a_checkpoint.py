"""A folder that is no checkpoint: each command that takes one says in a line what is missing and what to give."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from training import gguf
from training.cli import commands

DEMO = Path("training/checkpoints/clinalign-demo")
GIVE = "give a folder that `clinalign train export` or `clinalign train run` wrote"


def _folder(path: Path, **changed: str | None) -> Path:
    """The demonstration checkpoint's small files, and weights of no bytes; None leaves a file out."""
    path.mkdir()
    for name in ("config.json", "tokenizer.json", "chat_template.jinja", "manifest.json"):
        (path / name).write_bytes((DEMO / name).read_bytes())
    (path / "model.safetensors").write_bytes(b"")
    for name, text in changed.items():
        place = path / {"config": "config.json", "manifest": "manifest.json", "weights": "model.safetensors"}[name]
        place.unlink() if text is None else place.write_text(text)
    return path


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"config": None}, "odd is no checkpoint: config.json is missing"),
        ({"weights": None}, "odd is no checkpoint: model.safetensors is missing"),
        ({"manifest": None}, "odd is no checkpoint: manifest.json is missing"),
        ({"manifest": "{}"}, "odd/manifest.json: field 'gguf_sha256' is missing or no str"),
        ({"manifest": '{"gguf_sha256": ""}'}, "odd/manifest.json: field 'files' is missing or no dict"),
        ({"manifest": "[]"}, "odd/manifest.json: field 'gguf_sha256' is missing"),
        ({"config": "{}"}, "odd/config.json: field 'model_type' is missing"),
        ({"config": "?"}, "odd/config.json is not JSON"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "words",
    [["publish", "ODD"], ["gate", "--candidate", "ODD", "--incumbent", str(DEMO)], ["evaluate", "--write", "ODD"]],
    ids=lambda words: words[0],
)
def test_what_is_no_checkpoint_is_refused_in_a_line(
    tmp_path: Path, words: list[str], changed: dict[str, str | None], said: str
) -> None:
    odd = _folder(tmp_path / "odd", **changed)
    shelf = ["--into", str(tmp_path / "shelf")] if words[0] == "publish" else []
    done = CliRunner().invoke(commands, [*(word.replace("ODD", str(odd)) for word in words), *shelf])
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert said in done.stderr
    assert done.stderr.rstrip().endswith(GIVE)


def test_what_is_being_exported_needs_no_manifest(tmp_path: Path) -> None:
    gguf.need(_folder(tmp_path / "odd", manifest=None))
    gguf.need(DEMO, sealed=True)
