"""Whether a text is the JSON that was asked for, by the schema itself."""

import json
from functools import lru_cache

import jsonschema_rs

from service.domain.answer import Candidate
from service.domain.enquiry import Shape


def fits(shape: Shape, text: str) -> bool:
    """Whether the text is such JSON. A schema that cannot be read, or names another document, asks for any JSON."""
    if not shape.fits(text):
        return False
    validator = None if shape.schema is None else _validator(shape.schema)
    return validator is None or validator.is_valid(json.loads(text))


def breaks(shape: Shape, candidate: Candidate) -> bool:
    """Whether JSON was asked for and this is none of it. One that says it was cut for its length is what it says."""
    whole = candidate.finish_reason != "length" and not candidate.tool_calls
    return shape.structured and whole and bool(candidate.body) and not fits(shape, candidate.body)


@lru_cache(maxsize=32)
def _validator(schema: str) -> jsonschema_rs.Validator | None:
    """Looks nothing up elsewhere, and matches patterns within bounds: the schema is a caller's."""
    try:
        return jsonschema_rs.validator_for(schema, offline=True)
    except ValueError:  # every error of the library is one
        return None
