"""The page in a real browser: it asks, follows, shows, and never reads what a model wrote as markup."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.sample import ANSWER, reply, urgent
from tests.browser.scripted_gateway import ScriptedGateway

pytestmark = pytest.mark.browser


def ask(page: Page, question: str = "Can I take ibuprofen with warfarin?") -> None:
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def test_a_demonstration_model_is_called_one_before_anything_is_asked(page: Page) -> None:
    expect(page.get_by_role("note")).to_contain_text("Not for care")
    expect(page.locator("#model")).to_have_text("Model: clinalign-demo-14m")


def test_a_model_for_care_brings_no_such_notice(page: Page, gateway: ScriptedGateway) -> None:
    gateway.script.demonstration = False
    page.reload()
    expect(page.locator("#model")).to_be_visible()
    expect(page.locator("#demonstration")).to_be_hidden()


def test_the_answer_comes_with_its_outcome_score_scenario_and_principles(page: Page) -> None:
    ask(page)
    expect(page.locator("#answer")).to_have_text(ANSWER)
    expect(page.locator("#outcome")).to_contain_text("Released")
    expect(page.locator("#facts")).to_contain_text("32 %")
    expect(page.locator("#facts")).to_contain_text("83 %")
    expect(page.locator("#facts")).to_contain_text("Treatment")
    expect(page.locator("#principles li")).to_have_count(3)
    expect(page.locator("#principles")).to_contain_text("Similarity 0.83")
    expect(page.locator("#flags")).to_be_hidden()


def test_the_question_and_the_audience_are_what_is_sent(page: Page, gateway: ScriptedGateway) -> None:
    page.get_by_label("Clinician").check()
    ask(page, "  Dose of apixaban in CKD 4?  ")
    expect(page.locator("#result")).to_be_visible()
    (body,) = gateway.script.asked
    assert body == {
        "messages": [{"role": "user", "content": "Dose of apixaban in CKD 4?"}],
        "stream": True,
        "audience": "clinician",
    }


def test_stages_are_shown_as_they_happen(page: Page, gateway: ScriptedGateway) -> None:
    gateway.script.hold = "draft"
    ask(page)
    expect(page.get_by_role("status")).to_have_text("Drafting an answer.")
    expect(page.locator("[aria-current=step]")).to_contain_text("Draft")
    expect(page.locator("#result")).to_be_hidden()
    gateway.script.go.set()
    expect(page.get_by_role("status")).to_have_text("The answer is ready.")
    expect(page.locator("#result")).to_be_focused()


def test_a_stage_that_was_not_needed_is_not_called_done(page: Page, gateway: ScriptedGateway) -> None:
    gateway.script.stages = ("admitted", "retrieve", "draft", "judge")
    ask(page)
    expect(page.locator("#steps")).to_contain_text("Check: done")
    expect(page.locator("#steps")).to_contain_text("Mend: not needed")


def test_a_warning_sign_stands_above_the_answer_with_what_to_do(page: Page, gateway: ScriptedGateway) -> None:
    gateway.script.reply = urgent()
    ask(page)
    expect(page.locator("#flags")).to_contain_text("Cardiac")
    expect(page.locator("#flags")).to_contain_text("Call your emergency number")
    expect(page.locator("#outcome")).to_contain_text("Safe message")
    flags, said = page.locator("#flags").bounding_box(), page.locator("#answer").bounding_box()
    assert flags is not None
    assert said is not None
    assert flags["y"] < said["y"]


def test_each_check_says_its_finding_in_a_word_heaviest_first(page: Page) -> None:
    ask(page)
    rows = page.get_by_role("row")
    expect(rows).to_have_count(7)
    expect(rows.nth(1)).to_contain_text("Met")
    expect(rows.nth(1)).to_contain_text("MustSays that ibuprofen with warfarin raises")
    expect(rows.nth(2)).to_contain_text("Tells the person to take the two together")
    expect(rows.nth(5)).to_contain_text("Not met")
    expect(rows.nth(6)).to_contain_text("Unknown")
    expect(rows.nth(6)).to_contain_text("not measured")
    expect(page.locator("#verdicts-summary")).to_contain_text("4 of 6 are met")


def test_what_a_revision_changed_is_marked_for_eye_and_ear(page: Page) -> None:
    ask(page)
    diff = page.locator(".diff")
    expect(diff.locator("ins").first).to_contain_text("Do not take ibuprofen")
    expect(diff.locator("ins").first).to_contain_text("added:")
    expect(diff.locator("del").first).to_contain_text("removed:")
    expect(page.locator("#changes")).to_contain_text("Says which signs of bleeding need urgent care")


def test_a_revision_without_a_difference_is_told_without_one(page: Page, gateway: ScriptedGateway) -> None:
    left = {"round": 1, "style": "rewrite", "accepted": False, "reason": "unreadable", "score_before": 0.5}
    gateway.script.reply = reply(revisions=[{**left, "score_after": None, "targets": ["gone#one"]}])
    ask(page)
    expect(page.locator("#changes")).to_contain_text("left: it could not be read".capitalize())
    expect(page.locator("#changes")).to_contain_text("not judged")
    expect(page.locator(".diff")).to_have_count(0)


def test_time_and_tokens_are_told_by_stage(page: Page) -> None:
    ask(page)
    expect(page.locator("#cost li")).to_have_count(5)
    expect(page.locator("#cost")).to_contain_text("3.1 s")
    expect(page.locator("#cost")).to_contain_text("3500 (3400 cached) tokens in, 20 out")
    expect(page.locator("#cost")).to_contain_text("5.2 s in all")


def test_the_proof_can_be_copied_and_the_whole_reply_read(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "Principles digest: sha256:5f1d7b1f" in copied
    page.get_by_text("The whole reply as JSON").click()
    expect(page.locator("#raw")).to_contain_text('"criterion_id": "medicines.interactions#bleeding"')


HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script> é & <b>bold</b>"


def test_markup_in_anything_a_model_wrote_stays_text(page: Page, gateway: ScriptedGateway) -> None:
    hostile = reply(answer=HOSTILE, model=HOSTILE)
    hostile["red_flags"] = [{"family": HOSTILE, "evidence": {}, "advice": HOSTILE}]
    hostile["verdicts"][0]["criterion"] = HOSTILE
    hostile["principles"][0]["title"] = HOSTILE
    hostile["revisions"][0]["diff"] = [{"op": "insert", "text": HOSTILE}]
    hostile["provenance"]["judge"] = HOSTILE
    hostile["outcome_reason"] = HOSTILE
    gateway.script.reply = hostile
    ask(page)
    expect(page.locator("#answer")).to_have_text(HOSTILE)
    assert page.locator("main img, main script, main b").count() == 0
    assert page.title() == "ClinAlign Gateway"


def test_a_script_that_got_into_the_page_would_not_run(page: Page) -> None:
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("how", ["no streams", "cut short"])
def test_where_streams_do_not_come_through_one_plain_reply_does(page: Page, gateway: ScriptedGateway, how: str) -> None:
    gateway.script.streams = how != "no streams"
    gateway.script.cut_after = 3
    ask(page)
    expect(page.locator("#answer")).to_have_text(ANSWER)
    assert [body["stream"] for body in gateway.script.asked] == ([True] if how == "no streams" else [True, False])


def test_an_error_in_mid_stream_is_told_and_not_asked_again(page: Page, gateway: ScriptedGateway) -> None:
    gateway.script.error = {"message": "messages[0].content: too long for the model"}
    ask(page)
    expect(page.get_by_role("alert")).to_contain_text("too long for the model")
    expect(page.locator("#result")).to_be_hidden()
    assert len(gateway.script.asked) == 1


def test_a_gateway_that_wants_a_key_gets_it_from_the_page_and_the_page_forgets_it(
    page: Page, gateway: ScriptedGateway
) -> None:
    gateway.script.key = "secret-key"
    ask(page)
    expect(page.get_by_role("alert")).to_contain_text("no API key")
    expect(page.get_by_role("alert")).to_contain_text("req_401")
    expect(page.locator("#key")).to_be_focused()
    page.locator("#key").fill("secret-key")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#answer")).to_have_text(ANSWER)
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") == '[{},{},""]'
    page.reload()
    expect(page.locator("#key")).to_have_value("")


def test_stopping_hangs_up_and_shows_nothing(page: Page, gateway: ScriptedGateway) -> None:
    gateway.script.hold = "judge"
    ask(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("alert")).to_contain_text("Stopped")
    assert gateway.script.hung_up.wait(5)
    expect(page.locator("#result")).to_be_hidden()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()


def test_an_empty_question_is_not_sent(page: Page, gateway: ScriptedGateway) -> None:
    ask(page, "   ")
    expect(page.get_by_role("alert")).to_contain_text("write a question first")
    assert gateway.script.asked == []


def test_everything_can_be_done_from_the_keyboard(page: Page, gateway: ScriptedGateway) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the question")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your question")).to_be_focused()
    page.keyboard.type("Can I take ibuprofen with warfarin?")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_have_text(ANSWER)
    assert len(gateway.script.asked) == 1


def test_an_example_fills_the_question(page: Page) -> None:
    page.get_by_role("button", name="HbA1c").click()
    expect(page.get_by_label("Your question")).to_have_value("What does an HbA1c of 48 mmol/mol mean?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_page(
    page: Page, gateway: ScriptedGateway, width: int, scheme: str, pictures: Path | None
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    gateway.script.reply = {**urgent(), "revisions": reply()["revisions"]}
    ask(page, "I have had crushing chest pain for twenty minutes.")
    expect(page.locator("#result")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if pictures is not None:
        page.screenshot(path=pictures / f"console-{width}-{scheme}.png", full_page=True)


_CONTRAST = """() => {
  const channel = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest(".sr-only, :disabled")) continue;
    const [one, other] = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) faint.push(`${node.tagName}.${node.className}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground_by_4_5_to_1(page: Page, gateway: ScriptedGateway, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    gateway.script.reply = {**urgent(), "revisions": reply()["revisions"]}
    ask(page)
    expect(page.locator("#result")).to_be_visible()
    assert page.evaluate(_CONTRAST) == []


def test_every_control_has_a_name(page: Page) -> None:
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, textarea, a, summary")]
          .filter((each) => !(each.textContent.trim() || each.labels?.length || each.ariaLabel))
          .map((each) => each.outerHTML)"""
    )
    assert unnamed == []
