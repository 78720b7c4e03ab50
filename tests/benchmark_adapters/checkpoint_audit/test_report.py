"""The report of an audit: one page without network, its picture, and how it looks in a browser."""

import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.checkpoint_audit import report
from benchmark_adapters.checkpoint_audit.audited import CheckpointAudit
from benchmark_adapters.checkpoint_audit.report import page, write_report

pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from page_browser import browser as browser  # after the skip
from selenium.webdriver.common.by import By

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def found(retrains):
    told = json.loads((retrains.folder / "audit.json").read_text())
    audit = CaseAudit.of(told)
    return CheckpointAudit(audit, told["sources"], told["same_recipe"], told["same_recipe_why"])


def opened(browser, folder, *, width=1200, dark=False):
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((folder / "index.html").as_uri())


def test_the_command_writes_page_pictures_and_audit(retrains):
    names = {path.name for path in retrains.folder.iterdir()}
    assert names == {"index.html", "audit.json", "tests-light.png", "tests-dark.png", "kept"}
    text = (retrains.folder / "index.html").read_text()
    assert "like Retrain in all" in text and 'src="data:image/png' in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    with Image.open(retrains.folder / "tests-dark.png") as picture:
        assert max(picture.convert("RGB").getpixel((0, 0))) < 60
    # Small enough for a checkpoint's folder: nothing of single images.
    assert (retrains.folder / "audit.json").stat().st_size < 100_000


def test_every_test_is_explained_and_what_was_not_tested_is_said(found):
    text = page(found, None)
    for test in found.audit.tests:
        assert test.meaning[1:] in text.replace("&#39;", "'")
    assert "<h2>Not tested</h2>" in text and "KLOM: it needs" in text


def test_without_matplotlib_the_page_says_so(found, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    written = write_report(tmp_path, found)
    assert [path.name for path in written] == ["index.html", "audit.json"]
    assert "No picture: pictures need matplotlib: pip install" in written[0].read_text()


def test_without_retrains_there_are_values_alone(found):
    bare = replace(found.audit, limit=None, impostors={}, tests=tuple(
        replace(test, retrains=(), mean=None, deviation=None, distances={},
                no_power="no Retrains", verdicts=dict.fromkeys(test.verdicts, "no Retrains"))
        for test in found.audit.tests
    ))  # fmt: skip
    text = page(CheckpointAudit(bare, found.sources), None)
    assert "Without Retrains no test decides" in text and ">distance</th>" not in text


def test_names_of_strangers_are_text(found):
    model = {**found.sources["model"], "source": HOSTILE}
    text = page(replace(found, sources={**found.sources, "model": model}), None)
    assert HOSTILE not in text and "&lt;script&gt;" in text


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1200])
def test_in_a_browser(browser, retrains, width, dark):
    opened(browser, retrains.folder, width=width, dark=dark)
    root = "document.documentElement"
    wider = browser.execute_script(f"return {root}.scrollWidth - {root}.clientWidth")
    assert wider == 0 and browser.get_log("browser") == []
    body = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    red = int(re.search(r"\d+", body)[0])
    assert red < 40 if dark else red > 240
    picture = browser.find_element(By.TAG_NAME, "img")
    assert browser.execute_script("return arguments[0].naturalWidth", picture) > 1000
    shown = browser.execute_script("return arguments[0].currentSrc", picture)
    light = picture.get_attribute("src")
    assert (shown != light) if dark else (shown == light)
    verdict = browser.find_element(By.CSS_SELECTOR, ".verdict").rect
    assert verdict["x"] >= 0 and verdict["x"] + verdict["width"] <= width
