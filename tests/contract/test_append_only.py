"""Under llama.cpp's own chat templates, the draft's prompt and text open the judge's and the reviser's prompts."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import xllamacpp

from service.domain.assessment import Criterion, Polarity
from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.prompts import base, edits, rewrite, verdict
from tests import tiny_gguf

# Qwen3 Instruct renders as ChatML. A thinking Qwen3 drops the empty thinking block of earlier turns, and with it the
# draft's place in the cache: docs/decisions/append-only-prompts.md says what to serve instead.
TEMPLATES = ("chatml", "llama3", "llama4", "gemma", "mistral-v7", "phi4")
DRAFT = "You have had a cough for three days. Rest and drink.\n\nSee a doctor if it lasts: 2.5 weeks is too long."
TARGETS = [Criterion("p#a", "p", "Says when to come back.", 7, Polarity.MUST)]


@pytest.fixture(params=TEMPLATES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    params = xllamacpp.CommonParams()
    params.model.path = str(tiny_gguf.write(tmp_path / "tiny.gguf"))
    params.chat_template, params.use_jinja = request.param, False
    params.n_ctx, params.n_parallel, params.port, params.verbosity = 512, 1, 0, 1
    params.hostnames = ["127.0.0.1"]
    params.ui = params.fit_params = False
    running = xllamacpp.Server(params)
    yield running.listening_address
    del running


def rendered(server: str, messages: tuple[Message, ...]) -> str:
    body = json.dumps({"messages": [{"role": m.role, "content": m.content} for m in messages]}).encode()
    request = urllib.request.Request(f"{server}/apply-template", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return str(json.load(reply)["prompt"])


@pytest.mark.parametrize(
    "instruction",
    [verdict.instruction("Says when to come back."), edits.instruction(DRAFT, TARGETS), rewrite.instruction(TARGETS)],
    ids=["verdict", "edits", "rewrite"],
)
def test_a_stage_only_appends_to_the_drafts_prompt_and_text(server: str, instruction: Message) -> None:
    asked = Conversation(
        (
            Message(Role.SYSTEM, "You are Ada."),
            Message(Role.USER, "Hello"),
            Message(Role.ASSISTANT, "Hello, how can I help?"),
            Message(Role.USER, "I have had a cough for three days."),
        )
    )
    prefix = base.base(asked, principles=["Be plain.", "Be kind."], audience=Audience.PATIENT)
    drafting = rendered(server, prefix)
    stage = rendered(server, (*prefix, Message(Role.ASSISTANT, DRAFT), instruction))
    assert stage.startswith(drafting.rstrip(" "))  # Mistral's prompt ends where the space before the answer begins
    assert stage[len(drafting.rstrip(" ")) :].lstrip(" ").startswith(DRAFT)
    assert instruction.content.strip() in stage[len(drafting) + len(DRAFT) - 1 :]
