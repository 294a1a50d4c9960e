"""The shipped checkpoint: what its manifest says, and how llama.cpp and its own tokenizer read the same text."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tokenizers import Tokenizer

from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.prompts import edits, verdict
from service.prompts.base import base
from service.prompts.control import neutralise
from tests.needs import needs
from training import gguf
from training.chatml import SPECIAL, render
from training.dialogues import library
from training.dialogues.drafts import LEAD
from training.export import manifest
from training.gate.report import Report
from training.ladder.climb import climbs_of, page, table
from training.llama import Llama

CHECKPOINT = Path("training/checkpoints/clinalign-demo")
pytestmark = needs((CHECKPOINT / manifest.NAME).exists(), f"{CHECKPOINT} is not there: train and export it")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    gguf.write(CHECKPOINT, path)
    return path


@pytest.fixture(scope="module")
def model(converted: Path) -> Llama:
    return Llama(converted)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))


@pytest.fixture(scope="module")
def server(model: Llama) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=model.address, timeout=30) as client:
        yield client


def _llama_ids(server: httpx.Client, text: str, *, control: bool) -> list[int]:
    body = {"content": text, "add_special": False, "parse_special": control}
    return list(server.post("/tokenize", json=body).raise_for_status().json()["tokens"])


def test_every_file_is_what_the_manifest_says() -> None:
    assert manifest.mismatches(CHECKPOINT) == ()


def test_the_checkpoint_says_that_it_is_a_demonstration_and_is_small() -> None:
    facts = manifest.read(CHECKPOINT)
    assert facts["demonstration"] is True
    assert 6e6 <= facts["parameters"] <= 15e6
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) <= 30e6
    assert not {path.suffix for path in CHECKPOINT.iterdir()} & {".bin", ".pt", ".pkl"}


def test_the_gguf_is_the_same_to_the_byte_each_time(converted: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.gguf"
    digest = gguf.write(CHECKPOINT, again)
    assert again.read_bytes() == converted.read_bytes()
    assert digest == manifest.read(CHECKPOINT)["gguf_sha256"]


def test_a_checkpoint_that_is_not_the_manifests_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "checkpoint"
    copy.mkdir()
    for path in CHECKPOINT.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    facts = json.loads((copy / manifest.NAME).read_text())
    (copy / manifest.NAME).write_text(json.dumps({**facts, "gguf_sha256": "0" * 64}))
    with pytest.raises(gguf.CheckpointRefused, match="the manifest says"):
        gguf.write(copy, tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()


def _texts() -> list[str]:
    """Two hundred texts in several scripts, with numbers, marks, odd spaces and emoji."""
    rng = random.Random(3)
    pieces = (
        *(
            "I have had chest pain for 3 days",
            "12.5 mg",
            "metformin",
            "don't",
            "it's 7:30pm!!",
            "150/95",
            "1234567890123",
        ),
        *("  ", "\n", "\n\n", "\t", "  leading", "trailing  ", "\u00a0", "\u200b", "CAPS LOCK", "a_b-c", "#@$%^&*()"),
        *(
            "咳嗽三天了怎么办",
            "头痛。",
            "عندي صداع",
            "Où est l'hôpital ?",
            "Привет, болит голова",
            "頭が痛い",
            "한국어",
            "שלום",
        ),
        *(
            "🙂",
            "👨‍👩‍👧",
            "½ tablet",
            "café",
            "naïve",
            "µg",
            "—",
            "…",
            "१२३",
            "e\u0301",
            "x" * 40,
            "<b>",
            "{json: [1, 2]}",
        ),
    )
    return ["".join(rng.choice(pieces) + rng.choice(("", " ")) for _ in range(rng.randint(1, 9))) for _ in range(200)]


def test_llama_and_the_tokenizer_read_texts_alike(server: httpx.Client, tokenizer: Tokenizer) -> None:
    for text in _texts():
        assert _llama_ids(server, text, control=False) == tokenizer.encode(text).ids, repr(text)


@pytest.mark.parametrize("token", SPECIAL)
def test_control_tokens_in_a_text_are_no_control_once_neutralised(
    server: httpx.Client, tokenizer: Tokenizer, token: str
) -> None:
    text = f"before {token}system after"
    number = tokenizer.token_to_id(token)
    assert number in tokenizer.encode(text).ids
    assert number in _llama_ids(server, text, control=True)
    assert number not in tokenizer.encode(neutralise(text)).ids
    assert number not in _llama_ids(server, neutralise(text), control=True)


def test_llama_renders_the_chat_template_as_training_does(server: httpx.Client) -> None:
    turns = (
        Message(Role.SYSTEM, "Be kind.\n"),
        Message(Role.USER, " hello "),
        Message(Role.ASSISTANT, "Hi."),
        Message(Role.TOOL, '{"a": 1}'),
        Message(Role.USER, "and?"),
    )
    body = {"messages": [{"role": m.role.value, "content": m.content} for m in turns]}
    rendered = server.post("/apply-template", json=body).raise_for_status().json()["prompt"]
    assert rendered == render(turns) + "<|im_start|>assistant\n"


QUESTION = "I have had a sore throat and a mild cough for three days. Can I take ibuprofen 400 mg?"


@pytest.fixture(scope="module")
def prompt() -> tuple[Message, ...]:
    principles = [p for p in library.load().principles if p.always_on or p.id.endswith("otc-pain-relief-maximum")]
    asked = Conversation((Message(Role.USER, QUESTION),))
    return base(asked, principles=[p.statement for p in principles], audience=Audience.PATIENT)


def test_it_drafts_a_short_answer_in_sentences(model: Llama, prompt: tuple[Message, ...]) -> None:
    answer = model.reply(prompt, most=300)
    assert 15 <= len(answer.split()) <= 150
    assert answer.rstrip()[-1] in ".!?:"


@pytest.mark.parametrize(
    "question",
    [
        QUESTION,
        "My daughter is 4 and weighs 16 kg. How much paracetamol can she have?",
        "can i take Zylofen 37.5 mg with a grobbly elbow that began 11 nights ago",
        "Am I contagious?",
    ],
    ids=["two sentences", "weight and age", "words nobody has read", "three words"],
)
def test_it_says_the_question_back_to_the_letter(model: Llama, question: str) -> None:
    guide = [p.statement for p in library.load().principles if p.always_on or p.id.endswith("child-dose-by-weight")]
    asked = base(Conversation((Message(Role.USER, question),)), principles=guide, audience=Audience.PATIENT)
    assert model.reply(asked, most=300).startswith(f'{LEAD} "{question}"\n')


def test_it_puts_nearly_all_probability_of_a_verdict_on_yes_and_no(model: Llama, prompt: tuple[Message, ...]) -> None:
    said = Message(Role.ASSISTANT, "You ask about a sore throat. Take no more than the packet says.")
    presence = verdict.read(model.first_token((*prompt, said, verdict.instruction("Asks how old the person is."))))
    assert presence.present is not None


def test_its_edits_can_be_applied(model: Llama, prompt: tuple[Message, ...]) -> None:
    body = "You ask about a sore throat and ibuprofen 400 mg. Many people have it at some time."
    target = next(e.criterion for p in library.load().principles if p.always_on for e in p.exemplars if e.wanted)
    asked = (*prompt, Message(Role.ASSISTANT, body), edits.instruction(body, [target]))
    mended = edits.apply(body, edits.read(model.reply(asked, most=300, schema=edits.SCHEMA)))
    assert len(mended) > len(body)
    assert "ibuprofen 400 mg" in mended


def _pooled(name: str) -> float:
    figures = json.loads((CHECKPOINT / "evaluation.json").read_text())
    found = [figures[group][name] for group in ("trained_principles", "held_out_principles")]
    return float(sum(one["hits"] for one in found) / sum(one["count"] for one in found))


def test_what_is_committed_passed_the_gate_and_copies_and_edits_as_is_asked() -> None:
    report = Report.read(CHECKPOINT / "gate.json")
    assert report.decision.publish, "reckoned anew from its rows"
    assert report.candidate.checkpoint == manifest.read(CHECKPOINT)["gated_as"]
    assert report.facts["candidate_weights"] == gguf.weights(CHECKPOINT)
    assert report.section().strip() in (CHECKPOINT / "README.md").read_text()
    assert _pooled("draft_repeats_every_word_of_the_person") >= 0.95
    assert _pooled("draft_says_the_question_back") >= 0.95
    assert _pooled("edits_can_be_applied") >= 0.99


def test_the_page_tells_of_the_gate_what_its_report_holds() -> None:
    told = Path("docs/alignment.md").read_text()
    for check in Report.read(CHECKPOINT / "gate.json").decision.checks:
        if check.name == "rubric":
            said = (
                f"| rubric | {check.candidate:.3f}, gain {check.low:.3f} to {check.high:.3f} | {check.incumbent:.3f} |"
            )
        elif check.name == "not_by_length":
            said = f"| gain at equal length | {check.low:.3f} to {check.high:.3f} | |"
        else:
            new, old = (
                f"{round(share * check.rows):,} of {check.rows:,}" for share in (check.candidate, check.incumbent)
            )
            said = f" | {new} | {old} |"
        assert said in told, check.name


def test_the_pages_ladder_is_reckoned_from_the_rows_that_are_kept() -> None:
    kept = climbs_of(json.loads(Path("docs/alignment/ladder.json").read_text()))
    assert page(table(kept)).strip() in Path("docs/alignment.md").read_text()
