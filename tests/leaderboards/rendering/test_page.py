"""The static page, read back with an HTML parser."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hostile_rows import TEXTS, hostile_rows
from leaderboard_example import aggregate, boards, spread

from leaderboards.rendering.page import page_file, static_page
from leaderboards.rendering.rows import board_rows
from leaderboards.rendering.tables import board_table
from leaderboards.untrusted.harmless_text import harmless

CROWDED, BELOW = "Small marks have no room for a number", "▾ lies below the axis"
VOID = {"meta", "link", "br"}
# An element with its end in its start tag, as SVG has them.
ADDRESSES = {"href", "src", "action", "srcset", "data", "poster", "formaction", "xlink:href"}


class Page(HTMLParser):
    """Elements as (tag, attributes, the tags around), and whether each is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, name):
        return [attrs for tag, attrs, _ in self.elements if tag == name]


def rendered(rows=None):
    rows = board_rows(aggregate() if rows is None else rows)
    return static_page([board_table(board, rows) for board in boards()])


@pytest.fixture(scope="module")
def page():
    return Page(rendered())


def test_every_element_is_closed_and_every_id_is_there_once(page):
    assert page.open == []
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids)) > 50
    for _, attrs, _ in page.elements:
        for name in ("aria-labelledby", "aria-controls"):
            assert set(attrs.get(name, "").split()) <= set(ids)


def test_nothing_is_fetched_from_anywhere():
    text = rendered()
    for tag, attrs, _ in Page(text).elements:
        for name in ADDRESSES & set(attrs):
            assert attrs[name].startswith(("#", "data:,")), (tag, attrs)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)


def test_the_policy_allows_the_pages_own_style_and_script_alone():
    text = rendered()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("style", "script"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy.replace("&#39;", "'")
    assert not any("style" in attrs for _, attrs, _ in Page(text).elements)


def test_tables_have_captions_and_heads_with_a_scope(page):
    assert len(page.all("caption")) >= 3
    assert all(attrs.get("scope") in ("col", "row", "rowgroup") for attrs in page.all("th"))


def test_each_plot_is_a_picture_with_a_text(page):
    plots = [attrs for attrs in page.all("svg") if attrs.get("role") == "img"]
    assert len(plots) == 6 and all("aria-labelledby" in attrs for attrs in plots)
    text = " ".join(page.texts)
    assert "bn_drift: forget 35.1 ± 4.7 %, test-retain 94.7 ± 1.4 %" in text


def test_each_row_has_its_settings_command_and_figures(page):
    assert len(page.all("details")) == 24 + 1, "and one with what the columns mean"
    texts = page.texts
    assert "suli bench run digits --methods suli@official" in texts
    assert {"temperature", "0.0001", "AMD EPYC, 2 threads", "0.813 ± 0.010"} <= set(texts)


def test_the_same_rows_in_another_order_give_the_same_bytes():
    assert rendered(aggregate()[::-1]) == rendered()


def test_the_stylesheet_uses_the_colours_that_it_defines_and_no_others():
    style = page_file("style.css")
    light, dark = re.search(r":root \{(.*?)\}.*?:root \{(.*?)\}", style, re.DOTALL).groups()
    defined = set(re.findall(r"(--[a-z-]+):", light)) | {"--own"}
    assert set(re.findall(r"var\((--[a-z-]+)\)", style)) <= defined
    assert set(re.findall(r"(--[a-z-]+):", dark)) | {"--own"} == defined
    assert not re.search(r"#[0-9a-f]{3,6}\b", style.replace(light, "").replace(dark, ""))


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize(
    "text, back, ratio",
    [
        ("text", "back", 7),
        ("quiet", "back", 4.5),
        ("quiet", "soft", 4.5),
        ("link", "back", 4.5),
        ("good", "back", 4.5),
        ("refuted", "soft", 4.5),
        ("method", "soft", 4.5),
        ("control", "soft", 4.5),
        ("reference", "soft", 4.5),
        ("paper", "soft", 4.5),
        ("on-mark", "good", 4.5),
        ("on-mark", "method", 4.5),
        ("on-mark", "control", 4.5),
        ("on-mark", "reference", 4.5),
        ("on-mark", "paper", 4.5),
        ("on-mark", "refuted", 4.5),
        ("focus", "back", 3),
    ],
)
def test_colours_have_the_contrast_of_wcag_aa(scheme, text, back, ratio):
    """https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""
    block = re.findall(r":root \{(.*?)\}", page_file("style.css"), re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6})", block))
    bright, dim = sorted((luminance(colours[name]) for name in (text, back)), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= ratio


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_a_hostile_text_is_text_wherever_it_stands(index):
    page = Page(rendered([hostile_rows()[index]]))
    honest = {tag for tag, _, _ in Page(rendered()).elements}
    assert page.open == [] and {tag for tag, _, _ in page.elements} <= honest
    assert len(page.all("script")) == 1
    for tag, attrs, _ in page.elements:
        assert not any(name.startswith("on") for name in attrs)
        assert all(attrs[name].startswith(("#", "data:,")) for name in ADDRESSES & set(attrs)), tag
    assert harmless(TEXTS[index], 60) in page.texts, "the name"
    assert harmless(TEXTS[index], 2000) in page.texts, "the command"


def test_no_text_on_the_page_steers_a_display():
    text = rendered(hostile_rows())
    assert not re.search("[\x00-\x08\x0b-\x1f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text)


def test_marks_without_a_number_and_below_the_axis_are_explained_where_there_are_any():
    """Sixty rows at one place, and one whose other classes are lost."""
    row = aggregate()[7]
    lost = {**row["metrics"], "test_retain_accuracy": spread(0.1, 0.01)}
    same = [{**row, "method": f"m{i}"} for i in range(60)]
    plain, many = (
        static_page([board_table(boards()[0], board_rows(rows))])
        for rows in (aggregate()[:3], [*same, {**row, "method": "lost", "metrics": lost}])
    )
    assert CROWDED not in plain and BELOW not in plain and 'class="dot" d=' not in plain
    assert CROWDED in many and BELOW in many and many.count('class="dot" d=') == 1
    small = re.findall(r'<circle class="shape"[^>]*r="3.75"', many)
    numbered = re.findall(r"<text[^>]*>\d+</text></g>", many)
    # Each of the two panels has a mark for each row, with a number or small.
    assert len(small) + len(numbered) == 2 * 61 and small and numbered
