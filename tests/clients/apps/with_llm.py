"""The command line tool and library `llm`, told of the gateway in its file of models."""

import json
import os
import subprocess
import sys
from pathlib import Path

from checks import BASE_URL, CLINIC, KEY, MODEL, QUESTION, UNSAFE_QUESTION, guarded, raised, run, withheld
from pydantic import BaseModel

FOLDER = Path(os.environ["HOME"]) / "llm"
FOLDER.mkdir(exist_ok=True)
os.environ["LLM_USER_PATH"] = str(FOLDER)
TERMS = {"model_name": MODEL, "api_base": BASE_URL, "supports_schema": True, "supports_tools": True}
OURS = [
    {"model_id": "ours", **TERMS, "api_key_name": "ours"},
    {"model_id": "ours-responses", **TERMS, "api_key_name": "ours", "responses": True},
]
(FOLDER / "extra-openai-models.yaml").write_text(json.dumps(OURS))
(FOLDER / "keys.json").write_text(json.dumps({"ours": KEY}))

import llm  # noqa: E402 - it reads its folder's name when it is imported

MODELS = (llm.get_model("ours"), llm.get_model("ours-responses"))


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


def find_clinic(near: str) -> str:
    """Find the nearest clinic."""
    return CLINIC if near else ""


def chat() -> str:
    for model in MODELS:
        guarded(model.prompt(QUESTION, stream=False).text())
    typed = [sys.executable, "-m", "llm", "-m", "ours", "--no-stream", "--no-log", QUESTION]
    guarded(subprocess.run(typed, check=True, capture_output=True, text=True).stdout)
    return "as a library and as the command"


def streaming() -> None:
    for model in MODELS:
        pieces = list(model.prompt(QUESTION, stream=True))
        guarded("".join(pieces))
        assert len(pieces) > 5


def tools() -> None:
    for model in MODELS:
        answers = list(model.chain(QUESTION, tools=[find_clinic], stream=False).responses())
        assert [len(answer.tool_calls()) for answer in answers] == [1, 0]
        assert CLINIC in guarded(answers[-1].text())


def structured_output() -> None:
    for model in MODELS:
        guarded(Advice.model_validate_json(model.prompt(QUESTION, schema=Advice, stream=False).text()).advice)


def unsafe() -> str:
    withheld(MODELS[0].prompt(UNSAFE_QUESTION, stream=False).text())
    return "it shows the text, and no finish reason"


def errors() -> None:
    # It has no error of its own for this.
    assert "401" in str(raised(Exception, MODELS[0].prompt(QUESTION, stream=False, key="wrong").text))


if __name__ == "__main__":
    run(
        "llm",
        {
            "chat": chat,
            "streaming": streaming,
            "tools": tools,
            "structured output": structured_output,
            "withheld": unsafe,
            "errors": errors,
        },
        notes="each check over chat completions and over responses",
    )
