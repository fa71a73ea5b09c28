"""The alphabet: outlines that are the ink, a font that independent programs open, set, shape and accept."""

import json
import warnings
from io import BytesIO

import numpy as np
import pytest
import torch

from toolkit import cli, data, font, hub
from toolkit.font import area, flat


def square(side=12, at=8):
    picture = torch.zeros(1, 28, 28)
    picture[:, at : at + side, at : at + side] = 1
    return picture


def ink_area(outline):
    return sum(area(flat(contour)) for contour in outline.contours)


def ring():
    picture = square(14, 7)
    picture[:, 11:17, 11:17] = 0
    return picture


def digits(count=26):
    return data.load("sample:mnist").images[:count].float() / 255


def opened(data):
    from fontTools.ttLib import TTFont

    return TTFont(BytesIO(data))


def rendered(data, text, size=200):
    """The ink of a text, (H, W) in [0, 1], its baseline at row `size`."""
    from PIL import Image, ImageDraw, ImageFont

    face = ImageFont.truetype(BytesIO(data), size, layout_engine=ImageFont.Layout.BASIC)
    page = Image.new("L", (size * (len(text) + 1), 2 * size))
    ImageDraw.Draw(page).text((0, size), text, fill=255, font=face, anchor="ls")
    return np.asarray(page) / 255


def test_shapes_are_outlines_of_their_area_and_place_with_holes_wound_the_other_way():
    outline = font.trace(square())
    assert len(outline.contours) == 1 and ink_area(outline) == pytest.approx(144, rel=0.04)
    assert outline.box == pytest.approx((8, 8, 20, 20), abs=0.2)
    outer, hole = (area(flat(contour)) for contour in font.trace(ring()).contours)
    assert outer == pytest.approx(196, rel=0.04) and hole == pytest.approx(-36, rel=0.08)
    blobs = torch.maximum(square(6, 3), square(7, 18))
    assert sorted(round(area(flat(contour)), -1) for contour in font.trace(blobs).contours) == [40, 50]
    full = font.trace(torch.ones(20, 40))
    assert (full.height, full.width) == (20, 40) and full.box == pytest.approx((0, 0, 40, 20), abs=0.1)


@pytest.mark.parametrize("y", [14, range(4, 24)], ids=["row", "diagonal"])
def test_a_stroke_of_one_pixel_stays_whole(y):
    picture = torch.zeros(28, 28)
    picture[y, range(4, 24)] = 1
    outline = font.trace(picture)
    assert len(outline.contours) == 1 and 12 < ink_area(outline) < 30


def test_an_edge_of_pixels_comes_out_as_a_smooth_curve():
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    disc = ((x - 13.5) ** 2 + (y - 13.5) ** 2 < 81).float()
    radius = np.linalg.norm(flat(font.trace(disc).contours[0]) - 14, axis=1)
    assert abs(radius - 9).max() < 0.25 and radius.std() < 0.1


def test_specks_and_pinholes_are_dropped():
    picture = square()
    picture[:, 2, 2], picture[:, 14, 14] = 1, 0
    assert len(font.trace(picture).contours) == 1
    picture[:, 14, 14:16] = 0
    assert len(font.trace(picture).contours) == 2


def test_a_faint_stroke_is_ink_and_its_ground_is_not():
    faint = torch.full((28, 28), 0.05)
    faint[13:15, 4:24] = 0.25
    assert font.trace(faint).box == pytest.approx((4, 13, 24, 15), abs=0.4)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (torch.zeros(1, 28, 28), "blank"),
        (torch.zeros(1, 28, 3), "no picture"),
        (torch.zeros(0, 28, 28), "no picture"),
        (torch.full((28, 28), torch.nan), "no numbers"),
        (torch.rand(256, 256, generator=torch.Generator().manual_seed(0)).round(), "too fine"),
    ],
)
def test_a_picture_without_an_outline_is_refused_in_a_sentence(picture, words):
    with pytest.raises(ValueError, match=words):
        font.trace(picture)


def test_a_sheet_is_an_svg_of_one_path_a_symbol_in_its_cell():
    from xml.etree import ElementTree

    root = ElementTree.fromstring(font.svg(digits(5), 3, titles=["a<b", "&", "c", "d", "e\0"]))
    paths = root.findall("{http://www.w3.org/2000/svg}path")
    assert root.get("viewBox") == "0 0 84 56" and root.get("fill-rule") == "evenodd"
    assert [path.get("transform") for path in paths][-1] == "translate(28 28)" and len(paths) == 5
    assert [path[0].text for path in paths] == ["a<b", "&", "c", "d", "e"]


def test_a_sheet_leaves_out_blank_pictures_and_refuses_wrong_counts():
    text = font.svg(torch.stack([square(), torch.zeros(1, 28, 28)]))
    assert text.count("<path") == 1 and "<title>1 symbol, 1 left out, blank or noise</title>" in text
    with pytest.raises(font.OutlineError, match="every picture is blank"):
        font.svg(torch.zeros(3, 1, 28, 28))
    for wrong in ({"columns": -1}, {"titles": ["one"]}):
        with pytest.raises(ValueError, match="1 column or more, and a title for each symbol"):
            font.svg(digits(2), **wrong)


def test_the_same_symbols_are_the_same_bytes():
    assert font.build(digits(4)) == font.build(digits(4)) and font.svg(digits(4)) == font.svg(digits(4))


def test_a_glyph_drawn_by_freetype_is_the_picture_it_came_from():
    symbols = digits(10)
    data = font.build(symbols)
    for key, symbol in zip("abcdefghij", symbols, strict=True):
        drawn = cut(rendered(data, key) > 0.5)
        ink = cut((symbol[0] ** font.LIFT).numpy().repeat(8, 0).repeat(8, 1) > font.LEVEL)
        assert overlap(drawn, ink) > 0.75


def cut(ink):
    """The box of the ink, as 96 x 96."""
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    at = (np.linspace(lines[0], lines[-1], 96).round().astype(int) for lines in (rows, columns))
    return ink[np.ix_(*at)]


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_both_cases_of_a_letter_type_its_symbol_unless_both_have_one():
    cmap = opened(font.build(digits(3), "aBb")).getBestCmap()
    names = {"a": "uni0061", "A": "uni0061", "B": "uni0042", "b": "uni0062", " ": "space", "\xa0": "space"}
    assert cmap == {ord(character): name for character, name in names.items()}


def test_default_keys_are_letters_then_digits_then_whatever_can_be_typed():
    keys = font.default_keys(500)
    assert "".join(keys[:66]) == 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!"#$'
    assert len(set(keys)) == 500 and font.checked_keys(keys, 500) == keys


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("aa", "twice"), ("abc", "3 keys for 2 symbols"), (["a", "bc"], "cannot be typed"), ("a\n", "cannot be typed"),
        ("a ", "cannot be typed"), (["a", ""], "cannot be typed"), ("a\u0301", "cannot be typed"), (["a", 7], "typed"),
        ("a\ud800", "cannot be typed"), ("a\u200b", "cannot be typed"), ("a\u3164", "cannot be typed"),
    ],
)  # fmt: skip
def test_keys_that_cannot_be_are_refused_in_a_sentence(keys, words):
    with pytest.raises(ValueError, match=words):
        font.build(digits(2), keys)


@pytest.mark.parametrize("name", ["", " ", "a  b", "ümlaut", "a/b", "x" * 19, "a\n", "%(name)s", 7])
def test_a_name_is_a_few_plain_words(name):
    with pytest.raises(ValueError, match="no name for a font"):
        font.build(digits(1), name=name)
    assert font.checked_name(font.plain_name(str(name))).startswith("That Are Not ")


def test_an_alphabet_has_1_to_500_symbols_and_no_blank_one():
    for count in (0, 501):
        with pytest.raises(ValueError, match=f"{count} symbols are no alphabet"):
            font.build(torch.ones(count, 1, 8, 8))
    with pytest.raises(font.OutlineError, match="key 'b'.*blank"):
        font.build(torch.stack([square(), torch.zeros(1, 28, 28)]))


def test_symbols_stand_on_one_baseline_as_high_as_a_capital_and_nothing_is_cut_off():
    low, near = torch.roll(square(), 6, 1), torch.roll(square(), 1, 1)
    glyphs = opened(font.build(torch.stack([square(), square(), square(), near, low])))["glyf"]
    bottoms = [glyphs[f"uni{ord(key):04X}"].yMin for key in "abcde"]
    assert bottoms[:4] == pytest.approx([0] * 4, abs=2) and bottoms[4] < -200
    capital, dot = (opened(font.build(one[None]))["glyf"]["uni0061"] for one in (ring(), square(4)))
    assert capital.yMax == pytest.approx(700, abs=15) and dot.yMax == pytest.approx(200, abs=15)  # not blown up
    points, ends, _ = capital.getCoordinates(None)
    rings = np.split(np.array(points, float), np.array(ends[:-1]) + 1)
    assert [area(ring) < 0 for ring in rings] == [True, False]  # y up: clockwise is under 0, as TrueType wants it
    tables = opened(font.build(torch.stack([square(), square(), square(), square(20, 0), square(20, 8)])))
    assert tables["head"].yMax > 900 and tables["head"].yMin < -300
    assert tables["OS/2"].usWinAscent >= tables["head"].yMax and -tables["OS/2"].usWinDescent <= tables["head"].yMin


def test_an_open_side_gets_less_white_than_a_stem():
    stem, foot = square(14, 7), square(14, 7)
    foot[:, 7:18, 14:] = 0
    a, b = (opened(font.build(picture[None]))["hmtx"]["uni0061"][0] for picture in (stem, foot))
    assert b < a - 50 and b > 2 * font.LEAST


def test_harfbuzz_sets_a_line_with_the_advances_of_the_font():
    import uharfbuzz as hb

    data = font.build(digits(3))
    line = hb.Buffer()
    line.add_str("ab Ca")
    line.guess_segment_properties()
    hb.shape(hb.Font(hb.Face(data)), line)
    names = ["uni0061", "uni0062", "space", "uni0063", "uni0061"]
    widths = opened(data)["hmtx"]
    assert [at.x_advance for at in line.glyph_positions] == [widths[name][0] for name in names]
    assert all(widths[name][1] == opened(data)["glyf"][name].xMin for name in names if name != "space")
    assert [glyph.codepoint for glyph in line.glyph_infos] == [opened(data).getGlyphID(name) for name in names]


@pytest.mark.parametrize("keys", ["abc", "A1é", "漢\U0001f600¶"])
def test_the_sanitiser_of_browsers_accepts_the_font(keys, tmp_path):
    import ots

    path = tmp_path / "font.ttf"
    path.write_bytes(font.build(digits(3), keys))
    done = ots.sanitize(str(path), str(tmp_path / "clean.ttf"), capture_output=True)
    assert done.returncode == 0 and b"WARNING" not in done.stdout + done.stderr


def test_the_font_says_what_it_is_called_and_that_it_is_free():
    names = {record.nameID: str(record) for record in opened(font.build(digits(1), name="fig2 20"))["name"].names}
    assert names[1] == "That Are Not fig2 20" and names[6] == "ThatAreNotfig220-Regular" and "MIT" in names[13]


def test_a_specimen_is_a_page_with_ink_and_refuses_what_the_font_has_not():
    data = font.build(digits(3))
    page = np.asarray(font.specimen(data, "abc cab " * 20))
    assert page.shape[1] == 1600 and page.min() == 0 and page[:, -80:].min() == 255
    for text, words in (("abd", "has no 'd'"), ("  ", "no specimen"), ("a" * 1001, "no specimen")):
        with pytest.raises(ValueError, match=words):
            font.specimen(data, text)


def ran(capsys, *argv):
    """The exit code, and what was printed."""
    code = cli.main(["font", *(str(part) for part in argv)])
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--out", "a.otf"], "end it in .ttf or .svg"),
        (["--out", "a.svg", "--specimen", "a.png"], "--specimen is for a font"),
        (["--out", "a.ttf", "--specimen", "a.gif"], "end it in .png"),
        (["--out", "a.ttf", "--keys", "abc"], "3 keys for 26 symbols"),
        (["--out", "a.ttf", "--name", "a/b"], "no name for a font"),
        (["--out", "a.ttf", "--seeds", "0:1000"], "1000 symbols are no alphabet"),
    ],
)
def test_the_command_refuses_in_one_sentence_before_any_work(options, named, capsys):
    code, _, reported = ran(capsys, "fig2", "--from", "/nowhere", *options)
    assert code == 2 and named in reported and reported.count("\n") == 1


@pytest.fixture(scope="module")
def dark_tree(tmp_path_factory):
    """A run whose network is the shipped one seen in the negative, as if it had learned dark ink on light paper."""
    model = hub.load(hub.CHECKPOINTS, "fig2", 1)
    first, last = model.encoder[0], model.decoder[-1]
    first.bias += first.weight.sum((1, 2, 3))
    first.weight *= -1  # net'(x) = 1 - net(1 - x)
    last.weight *= -1
    last.bias.copy_(1 - last.bias)
    run = tmp_path_factory.mktemp("dark") / "fig2"
    (run / "iter_001").mkdir(parents=True)
    hub.save(model, run / "iter_001/model.safetensors", experiment="fig2", iteration=1)
    (run / "config.json").write_text(json.dumps({"title": "Dark", "sampling": {"limit": 20}}))
    hub.write_index(run.parent)
    return run.parent


def test_the_command_writes_outlines_or_a_font_and_a_page_set_in_it(dark_tree, tmp_path, capsys):
    out, page, sheet = tmp_path / "a.ttf", tmp_path / "a.png", tmp_path / "a.svg"
    options = ["--seeds", "0:3", "--keys", "xyz", "--name", "mine", "--specimen", page, "--invert"]
    code, printed, _ = ran(capsys, "fig2", "--from", dark_tree, "--out", out, *options)
    assert code == 0 and json.loads(printed) == {"out": str(out), "symbols": 3, "keys": "xyz", "specimen": str(page)}
    assert opened(out.read_bytes())["name"].getDebugName(1) == "That Are Not mine"
    assert page.read_bytes().startswith(b"\x89PNG")
    code, printed, _ = ran(capsys, "--from", dark_tree, "--seeds", "4,7", "--out", sheet, "--invert")
    assert code == 0 and json.loads(printed)["symbols"] == 2 and "fig2 1, seed 7" in sheet.read_text()


def test_symbols_of_dark_ink_on_light_paper_become_strokes_and_not_squares(dark_tree, tmp_path, capsys):
    areas = {}
    for option in ("", "--invert"):
        out = tmp_path / f"a{option}.ttf"
        with warnings.catch_warnings(record=True) as reported:
            warnings.simplefilter("always")
            code, _, _ = ran(capsys, "--from", dark_tree, "--seeds", "0:3", "--out", out, *option.split())
        assert code == 0 and ["dark ink on light paper" in str(it.message) for it in reported] == [True] * (not option)
        areas[option] = [rendered(out.read_bytes(), letter)[:200].mean() for letter in "abc"]
    assert max(areas["--invert"]) < 0.15 < 0.2 < min(areas[""])
