"""The tabs "Claims" and "About" in a real browser, over a claim of each verdict."""

from typing import Any

from tests import browser
from tests.test_page_claims import HOSTILE

pytestmark = browser.NEEDED
LINK = "tab=claims"


def test_claims_are_counted_and_filtered_by_verdict_and_paper(desk: Any) -> None:
    assert desk.inner_text(".claims .counts").startswith("Of 4 claims 1 holds, 1 does not, 1 is undecided")
    sieve = desk.locator(".claims .sieve")
    sieve.get_by_role("button", name="undecided").click()
    assert desk.get_attribute(".claims", "data-shown") == "1"
    assert "verdict=undecided" in desk.evaluate("thatAreNot.link()")
    sieve.get_by_role("button", name="Generative").click()
    assert "No claim is of this kind" in desk.inner_text(".claims .list")
    for every in ("All verdicts", "All papers"):
        sieve.get_by_role("button", name=every).click()
    assert desk.locator(".claim").count() == 4


def test_a_verdict_is_a_word_a_shape_and_a_colour_and_what_a_file_says_is_text(desk: Any) -> None:
    look = "all => all.map(one => [one.innerText, one.querySelector('svg').innerHTML, getComputedStyle(one).color])"
    seen = desk.eval_on_selector_all(".claim > .verdict", look)
    assert all(len({verdict[k] for verdict in seen}) == 4 for k in range(3))
    assert desk.inner_text(".claim[data-key=hostile] .says") == HOSTILE
    assert desk.locator(".claims img[src=x]").count() == 0


def test_a_claim_shows_its_picture_and_opens_its_experiment(desk: Any) -> None:
    row = desk.locator(".claim[data-key=fig2-far]")
    row.get_by_role("button", name="Picture").click()
    row.locator(".shown img").wait_for()
    assert row.locator(".shown img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 280
    row.get_by_role("button", name="Open it").click()
    desk.get_by_role("tab", name="Iterations", selected=True).wait_for()
    for experiment in ("fig6", "fig2"):  # once it is drawn for this, and once it is there
        browser.settled(desk)
        assert desk.inner_text(".iterations .caption").startswith("fig2: A tiny run.")
        browser.choose(desk, "Experiment", experiment)
        browser.to(desk, "Claims")
        row.get_by_role("button", name="Open it").click()
        desk.get_by_role("tab", name="Iterations", selected=True).wait_for()
    browser.to(desk, "Claims")


def test_about_is_there_with_its_links(desk: Any) -> None:
    desk.get_by_role("tab", name="About").click()
    desk.wait_for_selector(".about a")
    assert desk.locator(".about a[target=_blank][rel=noopener]").count() == desk.locator(".about a").count() >= 3
    assert not [line for line in desk.locator(".about li").all_inner_texts() if line.endswith(":")]
