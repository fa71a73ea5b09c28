"""The tabs "Is it new?" and "Claims" in a real browser, over untrained judges and a few claims."""

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser import CHROMIUM, PATIENCE, visit
from tests.test_page_claims import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]


@pytest.fixture(scope="module")
def desk(chromium: Any, address: str) -> Iterator[Any]:
    page = visit(chromium, address, 1280, 900)
    yield page
    page.close()


@pytest.fixture(scope="module")
def phone(chromium: Any, address: str) -> Iterator[Any]:
    page = visit(chromium, f"{address}?tab=is-it-new&seed=7", 390, 844)
    told(page)
    yield page
    page.close()


@pytest.fixture
def novel(desk: Any) -> Any:
    desk.get_by_role("tab", name="Is it new?").click()
    told(desk)
    return desk


@pytest.fixture
def claims(desk: Any) -> Any:
    desk.get_by_role("tab", name="Claims").click()
    desk.wait_for_selector('.claims[data-ready="true"]')
    return desk


def told(page: Any) -> None:
    """Wait until the verdict on what is on the pad is there."""
    page.wait_for_timeout(50)
    page.wait_for_selector('.novel[data-state="told"] .judge')


def of(page: Any) -> str:
    return str(page.inner_text(".novel .of"))


def pixels(page: Any) -> str:
    return str(page.eval_on_selector(".novel .canvas", "canvas => canvas.toDataURL()"))


def press(page: Any, name: str) -> None:
    page.locator(".novel").get_by_role("button", name=name, exact=True).click()


def stroke(page: Any) -> None:
    box = page.locator(".novel .canvas").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 60, steps=4)
    page.mouse.up()


def test_an_offer_from_another_tab_opens_the_tab_with_it(desk: Any) -> None:
    light = "Uint8Array.from({length: 784}, (_, i) => i % 251)"
    offered = f"{{light: {light}, side: 28, channels: 1, caption: 'a test, seed 3'}}"
    desk.evaluate(f"window.dispatchEvent(new CustomEvent('that-are-not-ask', {{detail: {offered}}}))")
    told(desk)
    assert of(desk) == "a test, seed 3"
    assert desk.get_by_role("tab", name="Is it new?").get_attribute("aria-selected") == "true"
    assert desk.locator(".novel .near").count() == 2 and desk.locator(".novel .judge").count() == 2


@pytest.mark.parametrize(
    ("tab", "caption"),
    [
        ("Iterations", "fig2, iteration 4, seed "),
        ("Creative decoder", "creative-mnist, low-active"),
        ("Kaleidoscope", "kaleidoscope-mnist, run "),
        ("Bend it", "creative-colours, bend, strength 1"),
    ],
)
def test_the_picture_on_show_in_another_tab_is_judged(desk: Any, tab: str, caption: str) -> None:
    desk.get_by_role("tab", name=tab).click()
    desk.click(".figure-page[data-ready=true] [data-do=ask]:visible")
    told(desk)
    assert of(desk).startswith(caption)


def test_a_colour_picture_of_another_size_is_judged_in_grey(novel: Any) -> None:
    novel.evaluate("""window.dispatchEvent(new CustomEvent("that-are-not-ask", {detail: {
        light: new Uint8Array(3 * 256).fill(200), side: 16, channels: 3, caption: "colours"}}))""")
    told(novel)
    assert of(novel) == "colours, in grey at 28 pixels"
    assert novel.locator(".novel .problem").is_hidden()


def test_the_dice_grows_a_symbol_of_the_newest_run_and_the_link_says_its_seed(novel: Any) -> None:
    before = pixels(novel)
    press(novel, "Another")
    novel.wait_for_function("document.querySelector('.novel .of').textContent.startsWith('fig2, iteration 4, seed ')")
    told(novel)
    seed = of(novel).split()[-1]
    assert pixels(novel) != before
    novel.wait_for_function(f"location.search.includes('seed={seed}')")


def test_a_stroke_is_judged_and_undone(novel: Any) -> None:
    before, words, verdict = pixels(novel), of(novel), novel.inner_text(".novel .caption")
    stroke(novel)
    told(novel)
    assert of(novel) == f"{words}, drawn over"
    assert novel.inner_text(".novel .caption") != verdict
    press(novel, "Undo")
    told(novel)
    assert (pixels(novel), of(novel), novel.inner_text(".novel .caption")) == (before, words, verdict)


def test_an_empty_pad_is_not_judged_and_a_drawing_is(novel: Any) -> None:
    press(novel, "Clear")
    assert novel.inner_text(".novel .verdict h2") == "Draw something"
    stroke(novel)
    told(novel)
    assert of(novel) == "Your drawing"
    assert "are this far from their nearest" in novel.inner_text(".novel .says")


def test_an_upload_is_judged_and_what_is_no_picture_is_refused(novel: Any) -> None:
    data = BytesIO()
    Image.radial_gradient("L").save(data, "PNG")
    upload = novel.locator(".novel [type=file]")
    upload.set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": data.getvalue()})
    novel.wait_for_function("document.querySelector('.novel .of').textContent === 'Your picture mine.png'")
    told(novel)
    upload.set_input_files({"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    novel.locator(".novel .problem").filter(has_text="no picture that a browser reads").wait_for()
    assert of(novel) == "Your picture mine.png"


def test_it_is_kept_in_the_tray_and_saved_as_a_picture(novel: Any, tmp_path: Path) -> None:
    press(novel, "Keep")
    assert novel.get_attribute("#tray .kept", "title") == f"a: {of(novel)}"
    novel.click("#tray .strip .remove")
    with novel.expect_download() as download:
        novel.click(".novel .save [data-do=picture]")
    download.value.save_as(tmp_path / "it.png")
    with Image.open(tmp_path / "it.png") as sheet:
        assert sheet.format == "PNG" and min(sheet.size) > 200


def test_settings_hold_the_picture_and_all_that_was_said(novel: Any, tmp_path: Path) -> None:
    with novel.expect_download() as download:
        novel.click(".novel [data-do=settings]")
    download.value.save_as(tmp_path / "it.json")
    said = json.loads((tmp_path / "it.json").read_text())
    assert len(base64.b64decode(said["light"])) == 784
    assert len(said["judges"]) == 2 and len(said["known"]) == 2


def test_a_link_opens_the_seed_it_names(phone: Any) -> None:
    assert of(phone) == "fig2, iteration 4, seed 7"


def test_claims_are_counted_and_sieved(claims: Any) -> None:
    assert claims.inner_text(".claims .counts").startswith("Of 4 claims 1 holds, 1 does not, 1 is undecided")
    sieve = claims.locator(".claims .sieve")
    sieve.get_by_role("button", name="undecided").click()
    assert claims.get_attribute(".claims", "data-shown") == "1"
    assert "verdict=undecided" in claims.evaluate("thatAreNot.link()")
    sieve.get_by_role("button", name="Generative").click()
    assert "No claim is of this kind" in claims.inner_text(".claims .list")
    for every in ("All verdicts", "All papers"):
        sieve.get_by_role("button", name=every).click()
    assert claims.locator(".claim").count() == 4


def test_a_verdict_is_a_word_a_shape_and_a_colour(claims: Any) -> None:
    seen = claims.eval_on_selector_all(
        ".claim > .verdict",
        "all => all.map(one => [one.innerText, one.querySelector('svg').innerHTML, getComputedStyle(one).color])",
    )
    assert all(len({verdict[k] for verdict in seen}) == 4 for k in range(3))


def test_what_a_file_says_is_text(claims: Any) -> None:
    assert claims.inner_text(".claim[data-key=hostile] .says") == HOSTILE
    assert claims.locator(".claims img[src=x]").count() == 0


def test_a_claim_shows_its_picture_and_opens_its_experiment(claims: Any) -> None:
    row = claims.locator(".claim[data-key=fig2-far]")
    row.get_by_role("button", name="Picture").click()
    row.locator(".shown img").wait_for()
    assert row.locator(".shown img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 280
    row.get_by_role("button", name="Open it").click()
    claims.wait_for_selector(".iterations", state="visible", timeout=PATIENCE)


def test_about_is_there_with_its_links(desk: Any) -> None:
    desk.get_by_role("tab", name="About").click()
    desk.wait_for_selector(".about a")
    assert desk.locator(".about a[target=_blank][rel=noopener]").count() == desk.locator(".about a").count() >= 3
    assert not [line for line in desk.locator(".about li").all_inner_texts() if line.endswith(":")]


@pytest.mark.parametrize("name", ["is-it-new", "claims", "about"])
def test_nothing_reaches_over_the_edge_of_a_phone(phone: Any, name: str) -> None:
    phone.evaluate(f"thatAreNot.open('{name}')")
    phone.wait_for_timeout(300)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_everything_is_said_no_other_host_was_asked_and_nothing_went_wrong(
    request: pytest.FixtureRequest, name: str, address: str
) -> None:
    page = request.getfixturevalue(name)
    nameless = """all => all.filter(one => !(one.getAttribute("aria-label") || one.innerText.trim())).length"""
    assert page.eval_on_selector_all(".novel button, .claims button, .novel canvas, .novel [role=img]", nameless) == 0
    assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert page.faults == []
