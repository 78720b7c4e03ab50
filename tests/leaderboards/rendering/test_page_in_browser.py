"""The static page in headless Chromium, as a reader uses it: mouse, keyboard, screen, no script."""

from itertools import pairwise

import pytest
from hostile_rows import TEXTS, hostile_rows
from leaderboard_example import aggregate, boards

from leaderboards.rendering.page import static_page
from leaderboards.rendering.rows import board_rows
from leaderboards.rendering.tables import board_table
from leaderboards.untrusted.harmless_text import harmless

pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from page_browser import browser as browser  # after the skip
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return written(tmp_path_factory.mktemp("page"), aggregate())


def written(folder, rows):
    tables = [board_table(board, board_rows(rows)) for board in boards()]
    (folder / "index.html").write_text(static_page(tables), encoding="utf-8")
    return (folder / "index.html").as_uri()


@pytest.fixture
def page(browser, address):
    """The page, opened anew; at the end nothing may be on the console."""
    opened(browser, address)
    yield browser
    assert browser.get_log("browser") == []


def opened(browser, address, *, width=1200, dark=False, script=True):
    """Open the page on a screen of this width, in this scheme, with or without JavaScript."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(address)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def first(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def every(page, selector):
    return page.find_elements(By.CSS_SELECTOR, selector)


def names(page, group="method", board=1):
    """The methods of a group, from top to bottom, as far as they are shown."""
    found = every(page, f"#board-{board} tbody.{group} .entry .name")
    return [each.text.lstrip("▸▾ ") for each in found if each.is_displayed()]


def head(page, title, board=1):
    """A column's head, by its title."""
    (found,) = [
        each for each in every(page, f"#board-{board} .scroll > table > thead th")
        if title in each.get_attribute("textContent").replace("\xa0", " ")
    ]  # fmt: skip
    return found


def status(page):
    return first(page, "#status").text


def choose(page, name, text):
    Select(first(page, f"#filter-{name}")).select_by_visible_text(text)


def test_a_column_sorts_within_its_groups_best_first_and_then_the_other_way(page):
    before = names(page)
    title = head(page, "Test-retain")
    title.find_element(By.TAG_NAME, "button").click()
    assert names(page)[:3] == ["finetune", "su@official", "su"] and names(page) != before
    assert title.get_attribute("aria-sort") == "ascending"
    assert status(page) == "Sorted by Test-retain %, best first."
    title.find_element(By.TAG_NAME, "button").click()
    assert names(page)[-3:] == ["su", "su@official", "finetune"]
    assert title.get_attribute("aria-sort") == "descending"
    assert names(page, "control") == ["bn_drift", "logit_mask"], "controls stay apart"


def test_the_nearest_to_the_ideal_is_best(page):
    head(page, "MIA").find_element(By.TAG_NAME, "button").click()
    assert names(page)[:2] == ["finetune", "neg_grad"]
    assert names(page, "reference") == ["retrain", "original"]


def test_one_column_at_a_time_is_the_sorted_one_and_names_sort_too(page):
    head(page, "MIA").find_element(By.TAG_NAME, "button").click()
    head(page, "Method").find_element(By.TAG_NAME, "button").click()
    assert names(page) == sorted(names(page))
    assert len(every(page, "#board-1 [aria-sort]")) == 1
    assert not every(page, "#board-2 [aria-sort]")


def test_details_follow_their_row_when_it_moves(page):
    head(page, "Test-retain").find_element(By.TAG_NAME, "button").click()
    for row in every(page, "#board-1 .entry"):
        follower = row.find_element(By.XPATH, "following-sibling::tr[1]")
        assert follower.get_attribute("id") == row.get_attribute("id") + "-more"


def test_a_row_opens_and_closes(page):
    row = next(r for r in every(page, ".entry") if "suli@official" in r.text)
    more = first(page, f"#{row.get_attribute('id')}-more")
    button = row.find_element(By.TAG_NAME, "button")
    assert not more.is_displayed() and button.get_attribute("aria-expanded") == "false"
    button.click()
    assert more.is_displayed() and button.get_attribute("aria-expanded") == "true"
    assert "suli bench run digits --methods suli@official" in more.text
    assert "temperature" in more.text and "0.813 ± 0.010" in more.text
    button.click()
    assert not more.is_displayed()


def test_boards_are_filtered_by_scope_and_by_board(page):
    choose(page, "scope", "instance-wise")
    shown = [each.is_displayed() for each in every(page, "main > section")]
    assert shown == [False, True, False] and status(page) == "1 of 3 boards, 7 rows."
    choose(page, "scope", "all")
    choose(page, "board", "Digits, one class")
    shown = [each.is_displayed() for each in every(page, "main > section")]
    assert shown == [True, False, False]
    choose(page, "scope", "instance-wise")
    assert status(page) == "0 of 3 boards, 0 rows."


def test_methods_are_filtered_by_what_they_read_and_controls_stay(page):
    choose(page, "needs", "the forget set only")
    assert "finetune" not in names(page) and "suli" in names(page)
    assert names(page, "control") == ["logit_mask", "bn_drift"]
    assert "Controls, reference models and the paper’s rows always stay." in status(page)
    marks = every(page, "#board-1 .point[data-number='8']")
    assert marks and not any(mark.is_displayed() for mark in marks), "the plot follows"
    choose(page, "needs", "more than the forget set")
    assert names(page) == ["finetune"]


def test_show_all_takes_every_filter_back(page):
    choose(page, "needs", "more than the forget set")
    choose(page, "scope", "class-wise")
    first(page, "#filters button[type=reset]").click()
    page.execute_async_script("setTimeout(arguments[0], 10)")
    assert status(page) == "3 of 3 boards, 24 rows." and "suli" in names(page)


def test_a_group_without_a_row_left_has_no_title(page):
    choose(page, "needs", "more than the forget set")
    titles = [each.text for each in every(page, "#board-3 .group") if each.is_displayed()]
    assert titles == ["Reported in the paper, not computed again here"]
    assert "Refuted" not in [e.text for e in every(page, "#board-1 .group") if e.is_displayed()]


def test_everything_works_from_the_keyboard(page):
    """Tab from the top: skip link, links, filters, then heads and rows of the first board."""
    visited = []
    for _ in range(40):
        page.switch_to.active_element.send_keys(Keys.TAB)
        active = page.switch_to.active_element
        outline = active.value_of_css_property("outline-style")
        visited.append((active.tag_name, active.text.strip("▸▾ ")))
        assert outline != "none", f"no focus to be seen on {visited[-1]}"
        if visited[-1] == ("button", "suli"):
            break
    assert visited[0] == ("a", "Skip to the boards")
    tags = [tag for tag, _ in visited]
    assert tags.count("select") == 3 and ("button", "Method") in visited
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("aria-expanded") == "true"
    page.switch_to.active_element.send_keys(Keys.SPACE)
    assert page.switch_to.active_element.get_attribute("aria-expanded") == "false"


def test_a_head_sorts_from_the_keyboard_and_keeps_the_focus(page):
    button = head(page, "MIA").find_element(By.TAG_NAME, "button")
    page.execute_script("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)
    assert names(page)[0] == "finetune" and page.switch_to.active_element == button


def test_the_skip_link_leads_to_the_boards(page):
    page.switch_to.active_element.send_keys(Keys.TAB)
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "boards"


def overflow(browser):
    """Pixels that the page is wider than the screen, its scroll bar aside."""
    root = "document.documentElement"
    return browser.execute_script(f"return {root}.scrollWidth - {root}.clientWidth")


@pytest.mark.parametrize("width", [320, 360, 768, 1920])
def test_the_page_never_scrolls_sideways(browser, address, width):
    opened(browser, address, width=width)
    for button in every(browser, ".entry button")[::5]:
        browser.execute_script("arguments[0].click()", button)
    assert overflow(browser) == 0
    assert browser.get_log("browser") == []


def test_on_a_narrow_screen_the_table_scrolls_and_the_methods_stay_in_sight(browser, address):
    opened(browser, address, width=360)
    scroll = first(browser, "#board-1 .scroll")
    assert browser.execute_script("return arguments[0].scrollWidth > 600", scroll)
    browser.execute_script("arguments[0].scrollLeft = 400", scroll)
    name = first(browser, "#board-1 .entry .name")
    assert 0 <= name.rect["x"] < 360
    browser.execute_script("arguments[0].click()", first(browser, "#board-1 .entry button"))
    command = first(browser, "#board-1 .more.open pre")
    left, right = command.rect["x"], command.rect["x"] + command.rect["width"]
    assert 0 <= left < right <= 360


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_follows_the_colour_scheme(browser, address, dark):
    opened(browser, address, dark=dark)
    back, text = (
        brightness(first(browser, "body").value_of_css_property(name))
        for name in ("background-color", "color")
    )
    assert (back < 40 and text > 200) if dark else (back > 240 and text < 50)
    badge = first(browser, ".entry .state.reproduced")
    mark, ground = (
        brightness(badge.value_of_css_property(name)) for name in ("color", "background-color")
    )
    assert abs(mark - ground) > 80


def brightness(colour):
    """0 to 255, of `rgba(15, 20, 26, 1)`."""
    red, green, blue = (float(part.strip("rgba() ")) for part in colour.split(",")[:3])
    return 0.3 * red + 0.59 * green + 0.11 * blue


def test_without_javascript_everything_is_there_as_plain_tables(browser, address):
    opened(browser, address, script=False)
    assert not first(browser, "#filters").is_displayed() and not every(browser, "main button")
    assert len([row for row in every(browser, ".entry") if row.is_displayed()]) == 24
    summary = first(browser, "#board-1 tbody.method summary")
    command = first(browser, "#board-1 tbody.method pre")
    assert summary.is_displayed() and not command.is_displayed()
    summary.click()
    assert command.is_displayed()


@pytest.mark.parametrize("script", [True, False])
def test_hostile_texts_are_shown_as_text_and_do_nothing(browser, tmp_path, script):
    opened(browser, written(tmp_path, hostile_rows()), width=360, script=script)
    shown = {each.text.lstrip("▸▾ ") for each in every(browser, ".entry .name")}
    assert shown == {" ".join(harmless(text, 60).split()) for text in TEXTS}
    assert browser.execute_script("return window.hacked") is None
    assert len(every(browser, "script")) == 1 and not every(browser, "img, [onerror], [onload]")
    assert overflow(browser) == 0
    assert browser.get_log("browser") == []


def test_a_name_is_as_high_as_its_lines_and_covers_no_other_row(browser, tmp_path):
    opened(browser, written(tmp_path, hostile_rows()))
    boxes = [each.rect for each in every(browser, "#board-1 .entry")]
    for above, below in pairwise(boxes):
        assert above["y"] + above["height"] <= below["y"] + 1
