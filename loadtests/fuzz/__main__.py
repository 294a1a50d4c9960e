"""Fuzz every reader: `python -m loadtests.fuzz --runs 100000`; one process a target, one line a target.

Ends with status 1 when one of them crashed, hung, or raised what is no refusal.
"""

import argparse
import json
import sys
from pathlib import Path

from loadtests.fuzz.report import fuzz, section
from loadtests.fuzz.targets import targets


def main() -> int:
    """The status to end with."""
    names = list(targets())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="inputs a target")
    parser.add_argument("--target", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", type=Path, help="write the section there, in Markdown")
    chosen = parser.parse_args()
    found = []
    for name in chosen.target or names:
        found.append(fuzz(name, runs=chosen.runs))
        if not chosen.json:
            print(found[-1], flush=True)
    text = section(found, runs=chosen.runs)
    if chosen.page:
        chosen.page.parent.mkdir(parents=True, exist_ok=True)
        chosen.page.write_text(text)
    print(json.dumps([one.as_json() for one in found]) if chosen.json else text)
    return int(any(one.failed for one in found))


if __name__ == "__main__":
    sys.exit(main())
