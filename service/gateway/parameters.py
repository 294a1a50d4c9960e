"""Every parameter of OpenAI's routes and what becomes of it, read from the bodies themselves: docs/parameters.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.gateway import openai_body, responses_body, text_completion_body
from service.gateway.embeddings import EmbeddingsBody
from service.gateway.openai_body import CompletionBody
from service.gateway.reading import Body
from service.gateway.responses_body import ReasoningBody, ResponsesBody, TextBody
from service.gateway.sampling_body import StreamOptions
from service.gateway.text_completion_body import TextCompletionBody
from service.gateway.treated import TREATMENT, Treatment
from service.gateway.unknown import HINTS

HEAD = """# Parameters

What becomes of each documented parameter of OpenAI's routes, and why. *Honoured*: the gateway sees to it. *Passed on*:
the model's server is given it. *Taken*: accepted, and no answer would look different. *Refused*: a 400 that names it
and says this, unless it is null, false, empty or OpenAI's own default. A field that is not in these tables is refused
by name.

Written by `clinalign parameters > docs/parameters.md`; a test compares the two, and the tables with the parameters of
OpenAI's own client.
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row."""

    name: str
    treatment: Treatment
    said: str


@dataclass(frozen=True, slots=True)
class Route:
    """A path and the parts of its body. Parts within others have the path of their field, with its dot."""

    path: str
    parts: Mapping[str, tuple[type[Body], Mapping[str, str]]]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """In the order of their names, those of each part together."""
        return tuple(
            row
            for at, (body, refused) in self.parts.items()
            for row in sorted(_rows(at, body, refused), key=lambda row: row.name)
        )


ROUTES = (
    Route(
        "POST /v1/chat/completions",
        {"": (CompletionBody, openai_body.REFUSED), "stream_options.": (StreamOptions, {})},
    ),
    Route(
        "POST /v1/responses",
        {
            "": (ResponsesBody, responses_body.REFUSED),
            "reasoning.": (ReasoningBody, responses_body.REFUSED_REASONING),
            "text.": (TextBody, responses_body.REFUSED_TEXT),
        },
    ),
    Route("POST /v1/completions", {"": (TextCompletionBody, text_completion_body.REFUSED)}),
    Route("POST /v1/embeddings", {"": (EmbeddingsBody, {})}),
)


def page() -> str:
    """The whole of docs/parameters.md."""
    tables = (_table(f"`{route.path}`", route.parameters) for route in ROUTES)
    hints = [Parameter(name, Treatment.REFUSED, said) for name, said in sorted(HINTS.items())]
    return "\n".join([HEAD, *tables, _table("Fields of other servers and other routes", hints)])


def _rows(at: str, body: type[Body], refused: Mapping[str, str]) -> Iterator[Parameter]:
    for name, field in body.model_fields.items():
        extra = field.json_schema_extra
        treatment = extra.get(TREATMENT) if isinstance(extra, dict) else None
        yield Parameter(f"{at}{field.alias or name}", Treatment(str(treatment)), field.description or "")
    for name, reason in refused.items():
        yield Parameter(f"{at}{name}", Treatment.REFUSED, reason)


def _table(title: str, rows: tuple[Parameter, ...] | list[Parameter]) -> str:
    lines = [f"| `{row.name}` | {row.treatment} | {row.said.replace('|', '&#124;')} |" for row in rows]
    return "\n".join([f"## {title}\n", "| parameter | | |", "|---|---|---|", *lines, ""])
