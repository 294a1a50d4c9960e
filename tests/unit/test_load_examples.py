"""The page of examples shows what the guard did with questions that may not be copied, and copies none of them."""

import gzip
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner

from loadtests.cli import commands
from loadtests.drawing import DRAWN, NotDrawn, draw
from loadtests.examples import hidden, page
from service.domain.errors import SettingsError

QUESTION = "May I take the blue tablets twice on a Sunday evening?"
TURN = "What is the blue plant in my garden good for?"
ROOT = Path(__file__).parent.parent.parent


def test_a_quotation_of_a_hidden_question_is_left_out() -> None:
    shown = hidden(f'You wrote: "{QUESTION}" Ask a pharmacist.', QUESTION)
    assert shown == 'You wrote: "[the question]" Ask a pharmacist.'


def test_a_copy_outside_quotation_marks_stops_the_page() -> None:
    with pytest.raises(ValueError, match="copies words of a hidden question") as caught:
        hidden("You ask: may I take  the blue\ntablets twice. Ask a pharmacist.", QUESTION)
    assert "tablets" not in str(caught.value)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one question of each kind, ours."""
    rows = [{"Question": "Another?"}, {"Question": QUESTION}]
    (tmp_path / "kqa_questions.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    turn = {"prompt_id": "a-b", "first_user_turn": TURN}
    (tmp_path / "healthbench_prompts_5000.jsonl.gz").write_bytes(gzip.compress(json.dumps(turn).encode()))
    return tmp_path


def listed(folder: Path, *rows: tuple[str, str, str]) -> Path:
    """Which rows to draw: source, id and the text that is meant."""
    path = folder / "drawn.jsonl"
    said = [
        {"source": source, "id": name, "about": "a plant", "sha256": sha256(text.encode()).hexdigest()}
        for source, name, text in rows
    ]
    path.write_text("\n".join(json.dumps(row) for row in said))
    return path


def test_rows_are_drawn_by_their_ids_and_told_in_words_of_ours(data: Path) -> None:
    drawn = draw(data, listed(data, ("HealthBench first turn", "a-b", TURN), ("K-QA", "row 2", QUESTION)))
    assert [(row["id"], row["about"], row["question"]) for row in drawn] == [
        ("a-b", "a plant", TURN),
        ("row 2", "a plant", QUESTION),
    ]


@pytest.mark.parametrize(
    "row",
    [("K-QA", "row 1", QUESTION), ("K-QA", "row 3", QUESTION), ("HealthBench first turn", "c-d", TURN)],
    ids=["another text", "beyond the end", "no such id"],
)
def test_a_row_that_is_not_the_one_that_was_meant_is_refused_without_its_words(
    data: Path, row: tuple[str, str, str]
) -> None:
    with pytest.raises(NotDrawn, match=row[1]) as caught:
        draw(data, listed(data, row))
    assert "blue" not in str(caught.value)


def test_a_folder_without_the_files_ends_the_command_before_anything_is_asked(tmp_path: Path) -> None:
    run = CliRunner().invoke(commands, ["examples", "--data", str(tmp_path), "--report", str(tmp_path / "page.md")])
    assert isinstance(run.exception, SettingsError)
    assert "kqa_questions.jsonl" in str(run.exception)
    assert not (tmp_path / "page.md").exists()


def test_without_a_gateway_it_says_how_to_start_one_and_writes_no_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    run = CliRunner().invoke(commands, ["examples", "--url", "http://127.0.0.1:9", "--report", str(page)])
    assert isinstance(run.exception, SettingsError)
    assert "make run" in str(run.exception)
    assert not page.exists()


def test_what_is_drawn_is_what_the_page_shows_and_no_text_is_kept_here() -> None:
    rows = [json.loads(line) for line in DRAWN.read_text(encoding="utf-8").splitlines()]
    shown = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    assert len(rows) == 10
    for row in rows:
        assert set(row) == {"source", "id", "about", "sha256"}
        assert f"*{row['source']}, {row['id']}*: {row['about']}\n" in shown


@pytest.fixture
async def gateway() -> AsyncIterator[str]:
    """Answers every question with itself, quoted."""

    async def chat(request: web.Request) -> web.Response:
        asked = (await request.json())["messages"][0]["content"]
        reply: dict[str, Any] = {
            "outcome": "released",
            "outcome_reason": None,
            "red_flags": [],
            "scenario": {"urgency": "routine"},
            "answer": f'You wrote: "{asked}"',
            "verdicts": [],
            "revisions": [],
        }
        return web.json_response(reply)

    app = web.Application()
    app.router.add_post("/chat", chat)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_the_page_names_the_whole_command_and_no_hidden_word(gateway: str) -> None:
    rows = [
        ({"id": "1", "source": "ours", "question": TURN}, False),
        ({"id": "row 2", "source": "K-QA", "about": "tablets", "question": QUESTION}, True),
    ]
    text = await page(rows, url=gateway, command="clinalign load examples --data FOLDER")
    assert "by `clinalign load examples --data FOLDER`;" in text
    assert f"> {TURN}" in text
    assert "*K-QA, row 2*: tablets" in text
    assert QUESTION not in text


def test_make_writes_the_page_with_the_real_questions() -> None:
    recipe = (ROOT / "requirements" / "evaluate.mk").read_text(encoding="utf-8")
    assert "$(BIN)/clinalign load examples --data $(DATA)\n" in recipe
