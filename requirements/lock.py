"""Write requirements/NAME.txt, every package pinned, from NAME.in: `python requirements/lock.py gateway dev`."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def resolved(*names: str) -> dict[str, str]:
    """Name to version of all that pip would install for these lists together, in an empty environment."""
    wanted = [argument for name in names for argument in ("-r", str(HERE / f"{name}.in"))]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    report = json.loads(subprocess.run([*command, *wanted], check=True, capture_output=True, text=True).stdout)  # noqa: S603 - our own words
    return {item["metadata"]["name"].lower(): item["metadata"]["version"] for item in report["install"]}


def write(name: str, pins: dict[str, str]) -> None:
    """One line a package, in order."""
    head = f"# Written by requirements/lock.py from {name}.in; change that, then run it again.\n"
    (HERE / f"{name}.txt").write_text(head + "".join(f"{p}=={v}\n" for p, v in sorted(pins.items())))


if __name__ == "__main__":
    gateway = resolved("gateway")
    write("gateway", gateway)
    both = resolved("gateway", "dev")
    write("schema", resolved("schema"))
    write("dev", {package: version for package, version in both.items() if package not in gateway})
    training, aligning = resolved("training"), resolved("training", "align")
    write("training", training)
    write("align", {package: version for package, version in aligning.items() if package not in training})
    for name in sys.argv[1:] or ("gateway", "dev"):
        if name == "dev":  # stands beside the gateway in one environment; the others have their own
            both = resolved("gateway", "dev")
            write("dev", {package: version for package, version in both.items() if package not in gateway})
        else:
            write(name, gateway if name == "gateway" else resolved(name))
