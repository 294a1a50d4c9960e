"""Evaluations of the whole pipeline as commands: `clinalign evaluate acceptance` and `clinalign evaluate attacks`."""

import gzip
import json
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from principles_store.encoder import Precision
from principles_store.errors import StoreError as StoreFailure
from principles_store.store import PrinciplesStore
from principles_store.typed import Value, of_data, of_page, typed
from service.cli.judging import SMALL_JUDGE
from service.cli.screening import served_screen
from service.domain.errors import SettingsError
from service.engines.small_judge import SmallJudge
from service.pipeline.evaluation import acceptance_page, attacks_page
from service.pipeline.evaluation.acceptance import MEDIUM, STRONG
from service.pipeline.evaluation.attacks import run_attacks
from service.pipeline.evaluation.simulation import JudgeErrors
from service.pipeline.principles import StoredPrinciples
from service.settings import read_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")]
Page = Annotated[
    Path | None, typer.Option("--page", help="Write the section of the evaluation page here, plots beside it.")
]
_TEXTS = ("text", "harmful_medical_request", "prompt")


def acceptance(
    trials: Annotated[int, typer.Option(min=100, help="Drafts for each pair of judges and size of rubric.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures; the rule was chosen on 1.")] = 2,
    guide: Annotated[str, typer.Option(help="The guiding judge's error rates: misses,alarms.")] = "0.40,0.13",
    accept: Annotated[str, typer.Option(help="The accepting judge's error rates: misses,alarms.")] = "0.30,0.11",
    *,
    page: Page = None,
    as_json: AsJson = False,
) -> None:
    """How often rules of acceptance let a harmful revision through, simulated with judges of known error rates."""
    weights = [criterion.weight for criterion in StoredPrinciples(_store()).criteria().values()]
    report = acceptance_page.simulate_acceptance(
        weights,
        trials=trials,
        seed=seed,
        guide=_rates(guide, usual=MEDIUM, name="guide"),
        accept=_rates(accept, usual=STRONG, name="accept"),
    )
    options = ("--trials", trials), ("--seed", seed), ("--guide", guide), ("--accept", accept)
    section = acceptance_page.page(report, command=_command("acceptance", *options, page=page))
    if page is not None:
        page.write_text(section)
        acceptance_page.draw(report, page.parent)
    _show(report.as_dict(), section, as_json=as_json)


def attacks(
    data: Annotated[list[Path], typer.Option(help="JSONL of attacks under `text`, gzipped or not; may be repeated.")],
    every: Annotated[int, typer.Option(min=1, help="Only every n-th attack.")] = 1,
    small: Annotated[Path, typer.Option(help="Folder of the small judge, whose verdicts are attacked.")] = SMALL_JUDGE,
    *,
    page: Page = None,
    as_json: AsJson = False,
) -> None:
    """Attack prompts through the whole pipeline with a model that obeys them; exits 1 if anything got through.

    And how many of the small judge's verdicts become told beside an attack; of these no number makes it exit 1.
    """
    opened, judge = _store(), SmallJudge.load(small)
    store = StoredPrinciples(opened)
    rows = [text for path in data for text in _texts(path)][::every]
    report = run_attacks(rows, store, store.criteria(), screen=served_screen(opened.encoder), judge=judge)
    files = (("--data", of_data(path)) for path in data)
    command = _command("attacks", *files, ("--every", every if every > 1 else None), page=page)
    section = attacks_page.page(report, command=command)
    if page is not None:
        page.write_text(section)
    _show(attacks_page.as_dict(report), section, as_json=as_json)
    raise typer.Exit(1 if report.breaches else 0)


def _command(name: str, *options: tuple[str, Value], page: Path | None) -> str:
    return typed(f"clinalign evaluate {name}", *options, ("--page", of_page(page)))


def _show(report: dict[str, Any], section: str, *, as_json: bool) -> None:
    typer.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() if as_json else section)


def _store() -> PrinciplesStore:
    settings = read_settings()
    places = (settings.principles_dir, settings.encoder_dir, settings.index_dir)
    try:
        return PrinciplesStore.open(*places, precision=Precision(settings.encoder_precision))
    except StoreFailure as error:
        raise SettingsError(str(error)) from error


def _rates(given: str, *, usual: JudgeErrors, name: str) -> JudgeErrors:
    """`misses,alarms`, each a probability; the usual judge where they are its own."""
    try:
        misses, alarms = (float(part) for part in given.split(","))
    except ValueError:
        misses = alarms = -1.0
    if not (0 <= misses <= 1 and 0 <= alarms <= 1):
        raise SettingsError(f"--{name}: write misses,alarms, each between 0 and 1, such as 0.40,0.13")
    if (misses, alarms) == (usual.misses, usual.alarms):
        return usual
    return JudgeErrors(name=f"{name} ({given})", misses=misses, alarms=alarms)


def _texts(path: Path) -> list[str]:
    """The attacks of a file; its words stay out of the message where it cannot be read."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = [json.loads(line) for line in raw.decode().split("\n") if line.strip()]
        texts = [next((row[name] for name in _TEXTS if isinstance(row.get(name), str)), "") for row in rows]
    except (OSError, EOFError, ValueError, AttributeError) as error:
        raise SettingsError(f"{path}: cannot be read as lines of JSON ({type(error).__name__})") from error
    if not texts or not all(text.strip() for text in texts):
        raise SettingsError(f"{path}: a row has no text under any of {', '.join(_TEXTS)}")
    return texts
