"""Whether a text is the JSON that was asked for, by the schema itself."""

import json
from functools import lru_cache

import jsonschema_rs

from service.domain.enquiry import Shape


def fits(shape: Shape, text: str) -> bool:
    """Whether the text is such JSON. A schema that cannot be read, or names another document, asks for any JSON."""
    if not shape.fits(text):
        return False
    validator = None if shape.schema is None else _validator(shape.schema)
    return validator is None or validator.is_valid(json.loads(text))


@lru_cache(maxsize=32)
def _validator(schema: str) -> jsonschema_rs.Validator | None:
    """Looks nothing up elsewhere, and matches patterns within bounds: the schema is a caller's."""
    try:
        return jsonschema_rs.validator_for(schema, offline=True)
    except ValueError:  # every error of the library is one
        return None
