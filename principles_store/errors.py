"""Every error of the principles' store, as one tree.

StoreError                  the root: the principles, or something built from them, cannot be used
 ├── InvalidPrinciples         a file does not hold what the schema asks for
 ├── EncoderUnusable           the encoder's folder is missing, damaged, or not what it says it is
 ├── IndexUnusable             the index is missing, empty or damaged
 │    └── IndexStale              it was built from other principles, another encoder or precision
 └── ImportRefused             a file to import holds nothing we can read, or would overwrite ours

Messages say what was wrong, where (the path first), and what to do. They never carry the text of a query.
`reason` says what was wrong in one word, for logs that take no sentence.
"""

from collections.abc import Sequence


class StoreError(Exception):
    """The principles, or something built from them, cannot be used."""

    reason = "store_unusable"

    @property
    def where(self) -> str:
        """The file or folder that the message begins with."""
        return str(self).partition(": ")[0]


class InvalidPrinciples(StoreError):
    """One or several files do not hold what the schema asks for; `problems` names each by file and field."""

    reason = "principles_invalid"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class EncoderUnusable(StoreError):
    """The encoder's folder is missing, damaged, or not what it says it is."""

    reason = "encoder_unusable"


class IndexUnusable(StoreError):
    """The index is missing, empty or damaged."""

    reason = "index_missing_or_damaged"


class IndexStale(IndexUnusable):
    """The index was built from something else; `of` names what."""

    def __init__(self, message: str, *, of: str) -> None:
        super().__init__(message)
        self.reason = f"index_of_other_{of}"


class ImportRefused(StoreError):
    """A file to import holds nothing we can read, or importing it would overwrite ours."""
