"""What a test needs beyond the packages of `make test`: where it is missing the test is skipped, and in CI it fails."""

import os
import shutil

import pytest

TRAINING = "run `make install-training`"
ALIGN = "run `make install-align`"
VLLM = "run `make vllm-install`"


def needs(present: object, reason: str) -> pytest.MarkDecorator:
    """A mark for tests that need what may be missing, such as an environment that another target installs."""
    return pytest.mark.needs(bool(present), reason)


def check(item: pytest.Item) -> None:
    """Ask of a test all that its marks need, before any of its fixtures is made."""
    for mark in item.iter_markers("needs"):
        required(*mark.args)


def required(present: object, reason: str) -> None:
    """Go on where it is present; else skip and say why, or fail where CI would take a skipped test for a passed one."""
    if present:
        return
    if in_ci():
        pytest.fail(f"CI lacks what this test needs: {reason}", pytrace=False)
    pytest.skip(f"NOT TESTED: {reason}")


def program(name: str) -> str:
    """The path of a program that this machine must have."""
    path = shutil.which(name)
    required(path, f"{name} is not installed")
    return path or ""


def in_ci() -> bool:
    """Whether a missing thing is a failure; `.ci/run` says so, as most CI systems do."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}
