"""The evaluation's section on red flags: a report comes in, Markdown and its plot go out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from service.pipeline.screen.counting import BOTH, Rate
from service.pipeline.screen.evaluation import CONVERSATIONS, Report
from service.pipeline.screen.rows import EMERGENT
from service.pipeline.screen.timing import AIM

PEERS_MISSED: Final = 0.52  # ChatGPT Health's under-triage of emergencies: Nature Medicine, 10.1038/s41591-026-04297-7
PLOT: Final = "redflags-curve.svg"
_MANY: Final = 8  # families that a table names

_INTRODUCTION: Final = """## Red flags

`{command}`

Rules alone, the learned head alone, and both as they are served: the head is asked where no rule found anything. The
rows of others are split once, by a hash of their first words. Rules were written and the threshold chosen while
looking at `tuning`; `reporting` was only counted, but it has been counted nine times, once an edition.
One edition was made because the count before it had more false alarms than the aim, so it owes something to that fold,
though no row of it was looked at.
The head is fitted on texts of our own and on no row of others, and the code that fits it cannot import the code that reads them
(an import contract). For `emergent` the share is the sensitivity; for routine questions it is the rate of false alarms.
"""
_OWN: Final = """The head's own examples, each judged by a head fitted without it (`row`) or without every text of its
group, that is of one way to put one idea (`group`). The routine ones share the dangers' words on purpose and are far
harder than real questions. Of the rules nothing is held out: whoever wrote them had read most of these texts.
"""
_LIMITS: Final = """### What it can't do

- An emergency that no rule names, told in a way that none of the head's examples is near, is missed. The reporting
  fold is small: each missed row moves the sensitivity by several points, as the intervals show.
- The tuning fold flatters both sources: the rules and the examples were written by people who had read its rows.
- All families are told in English; the core ones (heart, breathing, stroke, bleeding, self-harm, overdose, anaphylaxis)
  also in Spanish, French, German, Portuguese, Chinese, Arabic, Hindi, Russian, Japanese, Korean, Italian, Turkish,
  Persian, Urdu, Ukrainian, Bengali, Vietnamese, Polish and Indonesian. In any other language the rules see nothing (Greek,
  Hebrew, Swahili and Thai are told and not screened). Advice is written in Spanish, French, German, Portuguese, Chinese,
  Arabic, Hindi and Russian; in the others it is English.
- Text in Latin letters that is romanised: of Hindi and Urdu the rules know the commonest words for chest pain, breathing,
  dying, bleeding and unconsciousness, in a few spellings; of Arabic, Persian, Russian and all others nothing, though accents
  may be left out in all. It is told as no known language: advice in English, the notice `language_not_read`, the scenario
  of most care. The head reads a sentence of it only where no common word gives its language away, and understands none.
- English is said only where an English word stands. A message of bare terms (`jet lag`, a drug's name) may hold none that is
  known here: it is screened by rules and head all the same, and has that notice.
- No native clinician has read any of these translations, and nothing on this page counts them.
- A yes to the assistant's last questions counts as said, of several questions to all; a no that tells of danger ("Is he
  breathing?") does not. Who says to be a clinician, of somebody else, is believed, and that in English alone, as are
  animals and fiction.
- The head reads English. In other languages, and in a conversation's windows beyond the first 40 from its end, the
  rules stand alone.
- A head's flag names a family only where most of the nearest examples are of it; otherwise it says only that this
  could be an emergency.
- The labels `conditionally-emergent` and `non-emergent` are of few rows and show a direction, no more.
"""


def write_page(report: Report, path: Path, *, command: str) -> None:
    """Write the section, and the plot beside it where there is a head; `command` is what printed it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(section(report, command=command), encoding="utf-8")
    if report.curve:
        draw_curve(report, path.with_name(PLOT))


def section(report: Report, *, command: str) -> str:
    """The section as Markdown."""
    introduction = _INTRODUCTION.format(command=command)
    parts = [introduction, _rates("Source | Rows | Fold", report.rates), _peers(report), _milliseconds(report)]
    if report.curve:
        parts += [
            "### As the threshold moves\n",
            f"Rules and head together, on the tuning fold alone. The threshold in use is {report.threshold}.\n",
            f"![Sensitivity and false alarms by threshold]({PLOT})\n",
        ]
    if report.own:
        parts += [
            "### Our own held-out texts\n",
            _OWN,
            _rates("Source | Texts | Held out", [r for r in report.own if r.label.startswith("all ")]),
            "Both sources, by family, whole groups held out:\n",
            _rates(
                "Source | Family | Held out",
                [r for r in report.own if (r.source, r.fold) == (BOTH, "group") and r.label.endswith(", danger")],
            ),
        ]
    return "\n".join([*parts, _families(report), _LIMITS])


def _rates(titles: str, rates: Iterable[Rate]) -> str:
    rows = [
        f"| {r.source} | {r.label} | {r.fold} | {r.flagged} / {r.total} | {r.share:.3f} | {r.low:.3f} to {r.high:.3f} |"
        for r in rates
    ]
    return "\n".join([f"| {titles} | Flagged | Share | 95 % |", "|---|---|---|---|---|---|", *rows]) + "\n"


def _peers(report: Report) -> str:
    missed = [r for r in report.rates if (r.source, r.label, r.fold) == (BOTH, EMERGENT, "reporting")]
    ours = f"{1 - missed[0].share:.1%} of the reporting fold's" if missed else "none counted here:"
    return (
        f"Peers' bar: ChatGPT Health under-triaged {PEERS_MISSED:.0%} of emergencies (other cases than these); rules "
        f"and head together missed {ours} emergent rows.\n"
    )


def _milliseconds(report: Report) -> str:
    """A table, and whether long conversations miss the aim."""
    rows = [
        f"| {t.work} | {t.over} | {t.rows} | {t.median:.2f} | {t.p90:.2f} | {t.p99:.2f} | {t.beyond:.1%} |"
        for t in report.milliseconds
    ]
    slow = next((t for t in report.milliseconds if t.over == CONVERSATIONS and t.beyond), None)
    missed = f" Long conversations miss {AIM:g} ms: {slow.beyond:.1%} of the whole ones take more." if slow else ""
    return "\n".join(
        [
            "### Time\n",
            f"| Work | Over | Rows | Median, ms | 90th percentile | 99th | More than {AIM:g} ms |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"Tuning rows, the least of three runs each on one core.{missed} `head_encoded` is the head's own work once "
            "the turn is encoded; the encoder reads each turn and each of its sentences once, and the search takes the "
            "turn's vector from it.\n",
        ]
    )


def _families(report: Report) -> str:
    lines = ["### Families raised, both folds together\n", "| Source | Rows | Families |", "|---|---|---|"]
    for source, labels in report.families.items():
        for label, raised in labels.items():
            told = ", ".join(f"{family} {count}" for family, count in list(raised.items())[:_MANY])
            lines.append(f"| {source} | {label} | {told} |")
    return "\n".join(lines) + "\n"


def draw_curve(report: Report, path: Path) -> None:
    """The curve as SVG, the same bytes for the same report."""
    import matplotlib as mpl  # noqa: PLC0415 - for development only; the service runs without it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "redflags"
    from matplotlib import pyplot as plt  # noqa: PLC0415 - same

    thresholds = [point.threshold for point in report.curve]
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot(thresholds, [point.sensitivity for point in report.curve], label="sensitivity, emergent")
    for name in report.curve[0].false_alarms:
        alarms = [point.false_alarms[name] for point in report.curve]
        axes.plot(thresholds, alarms, linestyle="--", label=f"false alarms, {name}")
    axes.axvline(report.threshold, color="grey", label=f"in use: {report.threshold}")
    axes.axhline(1 - PEERS_MISSED, color="lightgrey", linestyle=":", label="peers' sensitivity")
    axes.set_xlabel("threshold of the head")
    axes.set_ylabel("share of the tuning fold")
    axes.legend(fontsize=8, loc="center right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
