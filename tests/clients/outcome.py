"""What became of one client or suite on the running gateway."""

from dataclasses import dataclass, field

# The checks that every client does, in the table's order.
COLUMNS = ("chat", "streaming", "tools", "structured output")


@dataclass(frozen=True, slots=True)
class Cell:
    """One check of one client; `said` is what it has to tell, or why it failed."""

    check: str
    passed: bool
    said: str = ""


@dataclass(frozen=True, slots=True)
class ClientRun:
    """One client: what it is, and its checks in the order they ran. `broken` is why it did not get to its end."""

    client: str
    version: str
    notes: str = ""
    cells: tuple[Cell, ...] = ()
    broken: str = ""
    log: str = field(default="", repr=False)

    @property
    def passed(self) -> bool:
        """Whether it ran to its end, did what every client must do, and nothing failed."""
        done = {cell.check for cell in self.cells}
        return not self.broken and done.issuperset(COLUMNS) and all(cell.passed for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Probe:
    """One test of a suite: `status` in the suite's own words, and what it says."""

    name: str
    passed: bool
    status: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One suite: its probes, and what explains those that fail, by name."""

    suite: str
    version: str
    command: str
    probes: tuple[Probe, ...]
    explained: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether every failure is one that is explained, and every explanation one that is needed."""
        return {probe.name for probe in self.probes if not probe.passed} == set(self.explained)
