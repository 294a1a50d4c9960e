"""The page on the real gateway, with a scripted model behind it: what the one sends is what the other reads."""

import hashlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from service.console import routes
from service.domain.enquiry import Tenant
from service.gateway.desk import Tenants
from tests.browser.served_app import ServedApp
from tests.gateway_fakes import BAD, CHEST, DUTY, GOOD, FakeDesk, plays

pytestmark = pytest.mark.browser
KEY = "key-of-the-ward"


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk(script=plays(BAD, revision=GOOD))


@pytest.fixture
def page(browser: Browser, desk: FakeDesk) -> Iterator[Page]:
    web = desk.web
    web.routes.extend(routes())
    with ServedApp(web) as served:
        context = browser.new_context()
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.goto(served.url)
        yield page
        context.close()


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def test_a_guarded_answer_is_shown_with_checks_revision_and_proof(page: Page) -> None:
    ask(page, "I have had a cough for three days.")
    expect(page.locator("#answer")).to_have_text(GOOD)
    expect(page.locator("#outcome")).to_contain_text("Released")
    expect(page.locator("#steps")).to_contain_text("Mend: done")
    expect(page.locator("#changes")).to_contain_text("Taken: it met more")
    expect(page.locator("#changes")).to_contain_text("Must not: Does harm.")
    expect(page.locator("#verdicts")).to_contain_text("Says to rest.")
    expect(page.locator("#cost")).to_contain_text("in all")
    expect(page.locator("#proof")).to_contain_text("sha256:p")


def test_a_warning_sign_is_shown_with_its_advice(page: Page) -> None:
    ask(page, CHEST["messages"][0]["content"])
    expect(page.locator("#flags")).to_contain_text(DUTY)
    expect(page.locator("#answer")).to_contain_text(DUTY)


def test_the_gateways_own_refusal_is_told_in_its_words(page: Page) -> None:
    page.evaluate("document.getElementById('question').removeAttribute('maxlength')")
    ask(page, "word " * 300_000)
    expect(page.get_by_role("alert")).to_contain_text("bytes")
    expect(page.locator("#result")).to_be_hidden()


class TestWithKeys:
    @pytest.fixture
    def desk(self) -> FakeDesk:
        known = hashlib.sha256(KEY.encode()).hexdigest()
        return FakeDesk(tenants=Tenants(by_key={known: Tenant("ward")}))

    def test_the_page_opens_without_a_key_and_asks_with_the_one_it_is_given(self, page: Page) -> None:
        ask(page, "I have had a cough for three days.")
        expect(page.get_by_role("alert")).to_contain_text("no API key")
        page.locator("#key").fill(KEY)
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#answer")).to_have_text(GOOD)
