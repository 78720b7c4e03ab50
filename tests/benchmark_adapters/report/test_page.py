"""`suli bench report`: a page that stands alone, its pictures, and what it says is missing."""

import json
import shutil
import subprocess
import sys

import pytest
from PIL import Image
from report_page import Page, report
from run_of_digits import altered

from benchmark_adapters.records.record import canonical, write_record
from benchmark_adapters.report.palette import DARK, LIGHT

PICTURES = ("radar", "trade-off", "curves", "tsne", "grad-cam")
HOSTILE = "<script>alert(1)</script>$x_{\u202e\x1b[31m"
# Enough to see most things by; drawing all that the run has takes longest.
CLASS_3 = ("--scenario", "class-3")
ONE = (*CLASS_3, "--methods", "suli")


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("scenario", ["class-3", "instance-64"])
@pytest.mark.parametrize("name", PICTURES)
def test_each_picture_is_a_png_on_the_background_of_its_theme(made, name, scenario, theme):
    image = Image.open(made / f"digits-{scenario}-{name}-{theme.name}.png").convert("RGB")
    assert 900 <= image.width <= 1500 and 250 <= image.height <= 2500
    assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((0, 0))) == theme.background
    assert len(image.resize((200, 200)).getcolors(40_000)) > 50


def test_the_page_needs_no_other_file_no_network_and_no_script(page):
    kept = ("src", "srcset", "href", "action", "data", "poster")
    links = [e[name] for _, e in page.elements for name in kept if name in e]
    assert len(links) > 20
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links)
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert not any(name.startswith("on") for _, each in page.elements for name in each)
    (policy,) = (e["content"] for e in page.all("meta") if "http-equiv" in e)
    assert "default-src 'none'" in policy


def test_pictures_follow_the_readers_light_or_dark_and_have_words(page):
    dark = page.all("source")
    assert {each["media"] for each in dark} == {"(prefers-color-scheme: dark)"}
    images = page.all("img")
    assert len(dark) == len(images) == 11
    assert all(len(each["alt"]) > 30 and int(each["width"]) <= 960 for each in images)


def test_the_page_has_the_table_with_controls_apart_and_says_how_it_was_run(page, run):
    assert "controls, which forget nothing" in page.text
    assert "Request after request" not in page.text
    assert "n=1 seeds (0)" in page.text and "gap %" in page.text
    record = json.loads(next(run.rglob("class-3/suli/*.json")).read_text())
    assert record["hardware"] in page.text and f"torch {record['versions']['torch']}" in page.text
    assert record["command"] in page.text and "37 forget, 322 retain" in page.text
    assert canonical(record["hyperparameters"]) in page.text


def test_anchors_are_unique_and_lead_somewhere(page):
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert len(ids) == len(set(ids)) == 2
    assert {each["href"].removeprefix("#") for each in page.all("a")} == set(ids)


def test_text_of_records_is_shown_as_text(run, tmp_path):
    def rename(record):
        record.update(method=HOSTILE, command=HOSTILE, hardware=HOSTILE)
        record["versions"] = {HOSTILE: HOSTILE}

    done = report(altered(run, tmp_path / "runs", rename), "--records-only", "--json")
    assert done.exit_code == 0, done.output
    shown = Page((tmp_path / "runs" / "report" / "index.html").read_text(encoding="utf-8"))
    assert not shown.all("script") and shown.text.count("<script>alert(1)</script>") > 4
    # What such a name would do to a picture: no formula, no error, no line of its own.
    assert len(json.loads(done.output)["pictures"]) == 14


def test_names_of_records_lead_to_no_file_outside_the_report(run, tmp_path):
    evil = altered(run, tmp_path / "runs", lambda record: record.update(benchmark="../../evil"))
    before = set(tmp_path.rglob("*"))
    assert report(evil, *ONE, "--records-only", "--output", tmp_path / "out").exit_code == 0
    written = set(tmp_path.rglob("*")) - before
    assert {path.parent for path in written} == {tmp_path, tmp_path / "out"}
    assert "_evil-class-3-radar-light.png" in {path.name for path in written}


def test_a_picture_that_cannot_be_drawn_is_named_with_the_reason(run, tmp_path):
    shutil.copytree(run, tmp_path / "runs")
    for weights in (tmp_path / "runs").rglob("class-3/*/*.safetensors"):
        weights.unlink()
    done = report(tmp_path / "runs", "--scenario", "class-3")
    assert done.exit_code == 0 and "4 pictures" in done.output
    assert "digits class-3: What the models look at (Grad-CAM): no unlearned model" in done.output
    shown = Page((tmp_path / "runs" / "report" / "index.html").read_text(encoding="utf-8"))
    assert "are drawn with --scenario instance-64." in shown.text
    assert "Not shown" in shown.text and "keeps them with --evidence" in shown.text


def test_one_model_that_was_not_kept_is_named_under_the_picture(run, tmp_path):
    shutil.copytree(run, tmp_path / "runs")
    (weights,) = (tmp_path / "runs").rglob("class-3/suli/*[0-9a-f].safetensors")
    weights.unlink()
    assert report(tmp_path / "runs", *CLASS_3, "--methods", "original,suli").exit_code == 0
    page = (tmp_path / "runs" / "report" / "index.html").read_text(encoding="utf-8")
    assert page.count("Not kept, so not shown: suli.") == 2


def test_weights_and_images_that_are_not_the_runs_are_refused(run, tmp_path):
    def other_images(record):
        record["forget_set_hash"] = "0" * 64

    done = report(altered(run, tmp_path / "images", other_images), *ONE)
    assert "the forget set has another hash" in done.output
    shutil.copytree(run, tmp_path / "weights")
    (weights,) = (tmp_path / "weights").rglob("class-3/suli/*[0-9a-f].safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    done = report(tmp_path / "weights", *ONE)
    assert done.exit_code == 0 and "sha256" in done.output and "4 pictures" in done.output


def test_of_two_records_of_a_cell_the_newest_counts_and_damaged_ones_are_named(run, tmp_path):
    shutil.copytree(run, tmp_path / "runs")
    (path,) = (tmp_path / "runs").rglob("class-3/suli/0-*.json")
    path.with_name("1-0123456789ab.json").write_text(path.read_text()[:-40])
    older = path.with_name("0-0123456789ab.json")
    shutil.copy(path, older)
    write_record(older, {**json.loads(older.read_text()), "created": "2020-01-01T00:00:00+00:00"})
    assert report(tmp_path / "runs", *ONE, "--records-only").exit_code == 0
    shown = Page((tmp_path / "runs" / "report" / "index.html").read_text(encoding="utf-8"))
    assert "n=1 seeds (0)" in shown.text
    assert f"{older} is older than {path.name}" in shown.text
    assert "1-0123456789ab.json is not a record" in shown.text


@pytest.mark.parametrize("part", ["seconds", "passes", "history"])
def test_a_record_without_what_is_drawn_is_set_aside(run, tmp_path, part):
    def without(record):
        record[part] = [{}] if part == "history" else {}

    done = report(altered(run, tmp_path / "runs", without), *CLASS_3, "--records-only")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "runs" / "report" / "index.html").read_text(encoding="utf-8")
    assert f"is not a whole record: &#39;{part}&#39; lacks a part" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scenario", "class-9"], "no scenario 'class-9' in this run; it has: class-3, instance"),
        (["--methods", "sully"], "no method 'sully' in this run; it has: original, retrain, "),
        (["--seed", "7"], "no record has seed 7; the seeds: 0"),
    ],
)
def test_what_the_run_does_not_have_is_wrong_usage_in_one_line(run, tmp_path, options, message):
    done = report(run, "--output", tmp_path, *options)
    assert done.exit_code == 2 and message in done.output and "Traceback" not in done.output
    assert done.output.count("Error:") == 1


def test_a_scenario_without_the_chosen_method_is_named_and_the_others_are_drawn(run, tmp_path):
    """A mask is of a class, so that the run has none instance-wise."""
    choice = ("--methods", "logit_mask", "--scenario", "class-3,instance-64", "--records-only")
    done = report(run, "--output", tmp_path, *choice)
    assert done.exit_code == 0, done.output
    assert "instance-64: all pictures: it has no record of what was chosen" in done.output
    assert (tmp_path / "digits-class-3-radar-light.png").is_file()


def test_a_wrong_folder_and_one_without_records_are_one_line(tmp_path):
    done = report(tmp_path / "nowhere")
    assert done.exit_code == 2 and "nowhere is not a folder" in done.output
    (tmp_path / "0-0123456789ab.json").write_text("{}")
    done = report(tmp_path)
    assert done.exit_code == 2 and "no record of `suli bench run` in" in done.output
    assert "'schema_version' must be int" in done.output


def test_an_output_that_cannot_be_written_is_said_before_anything_is_drawn(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = report(run, "--output", tmp_path / "file")
    assert done.exit_code == 2 and "cannot write to --output" in done.output


def test_an_option_that_the_benchmark_lacks_is_said(run, tmp_path):
    done = report(run, "--output", tmp_path, *ONE, "--data", "elsewhere")
    assert done.exit_code == 0 and "digits takes no --data" in done.output


def test_a_missing_extra_is_one_line_that_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    done = report(run)
    assert done.exit_code == 1
    assert "a report needs captum: pip install 'suli-plugin[report]'" in done.output


def test_help_comes_without_torch_and_matplotlib():
    script = (
        "import sys, suli_plugin.cli as c\n"
        "try: c.main(['bench', 'report', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'matplotlib', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "--records-only" in done.stdout and done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_the_pictures_are_the_same_each_time(run, tmp_path):
    for folder in ("one", "other"):
        assert report(run, "--output", tmp_path / folder, *ONE).exit_code == 0
    for name in PICTURES:
        one, other = (
            Image.open(tmp_path / folder / f"digits-class-3-{name}-light.png")
            for folder in ("one", "other")
        )
        assert one.tobytes() == other.tobytes(), name
