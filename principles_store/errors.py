"""Every error of the principles' store, as one tree.

StoreError                  the root: the principles, or something built from them, cannot be used
 ├── InvalidPrinciples         a file does not hold what the schema asks for
 ├── EncoderUnusable           the encoder's folder is missing, damaged, or not what it says it is
 ├── IndexUnusable             the index is missing, empty, or was built from something else
 └── ImportRefused             a file to import holds nothing we can read, or would overwrite ours

Messages say what was wrong, where, and what to do. They never carry the text of a query.
"""

from collections.abc import Sequence


class StoreError(Exception):
    """The principles, or something built from them, cannot be used."""


class InvalidPrinciples(StoreError):
    """One or several files do not hold what the schema asks for; `problems` names each by file and field."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class EncoderUnusable(StoreError):
    """The encoder's folder is missing, damaged, or not what it says it is."""


class IndexUnusable(StoreError):
    """The index is missing, empty, or was built from something else."""


class ImportRefused(StoreError):
    """A file to import holds nothing we can read, or importing it would overwrite ours."""
