"""Every reader under a coverage-guided fuzzer for a moment; `python -m loadtests.fuzz` is the long run."""

import pytest

from loadtests.fuzz.report import fuzz
from loadtests.fuzz.targets import targets
from loadtests.fuzz.whole import WholeRequest

SHORTLY = ("whole request", "upstream: stream")


@pytest.mark.parametrize("name", SHORTLY)
def test_a_fuzzed_reader_reads_or_refuses(name: str) -> None:
    found = fuzz(name, runs=400)
    assert not found.failed
    assert found.inputs == found.read + found.refused == 400
    assert found.read > 0
    assert found.refused > 0
    assert found.edges > 20


@pytest.mark.parametrize("name", targets())
def test_the_seeds_of_a_reader_are_read(name: str) -> None:
    target = targets()[name]
    try:
        read = [target.read(seed) for seed in target.seeds]
    finally:
        if isinstance(target.read, WholeRequest):
            target.read.close()
    assert sum(read) >= max(1, len(read) - 2)
