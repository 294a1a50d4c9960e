"""A real browser on a page of the console, with the gateway behind it scripted."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.scripted_gateway import Script, ScriptedGateway
from tests.needs import program

_QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Not for the whole session: playwright's loop runs in this thread while it is open, and asyncio's tests need theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def running_gateway() -> Iterator[ScriptedGateway]:
    gateway = ScriptedGateway()
    with gateway.served:
        yield gateway


@pytest.fixture
def gateway(running_gateway: ScriptedGateway) -> ScriptedGateway:
    running_gateway.script = Script()
    return running_gateway


@pytest.fixture
def page(browser: Browser, gateway: ScriptedGateway) -> Iterator[Page]:
    """The page, opened; any message of the browser's console that is a warning or worse fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(10_000)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(gateway.url)
    yield page
    gateway.script.go.set()
    context.close()
    assert [line for line in said if "status of 4" not in line] == []


@pytest.fixture
def pictures() -> Path | None:
    """Where a test leaves screenshots for a person to look at, when CLINALIGN_TEST_PICTURES names a folder."""
    folder = os.environ.get("CLINALIGN_TEST_PICTURES")
    return Path(folder) if folder else None
