"""The strip plot of an audit: where models stand in each test, and what is said beneath."""

import io
from dataclasses import replace
from statistics import mean, stdev

import pytest
from PIL import Image

from benchmark_adapters.audit.case_audit import LIKE, NO_RETRAINS, UNDER, CaseAudit, TestResult
from benchmark_adapters.audit.spread import Spread, limit
from benchmark_adapters.report.palette import DARK, LIGHT
from benchmark_adapters.report.strip_plot import strip_plot, strips

RETRAINS = (0.50, 0.53, 0.47, 0.52, 0.49)
VALUES = {"original": 0.95, "retrain_held_out": 0.51, "suli": 0.52, "bias_mask": 0.94}
ROLES = {
    "original": "original", "retrain_held_out": "held out", "suli": "method",
    "bias_mask": "control",
}  # fmt: skip


def audit(seed=0, retrains=RETRAINS, **values):
    """Two tests of the same values, the second without power."""
    values = {**VALUES, **values}
    spread = Spread(retrains)
    distances = {label: spread.distance(value) for label, value in values.items()}
    verdicts = {label: UNDER if abs(d) > 5 else LIKE for label, d in distances.items()}
    one = TestResult(
        "one_constant", "after one constant", "outputs", "what one constant brings back",
        "log-odds", values, retrains, mean(retrains), stdev(retrains), "", distances, verdicts,
    )  # fmt: skip
    weak = replace(one, name="probe", title="linear probe", kind="features", no_power="it is weak")
    return CaseAudit("class-wise", (3,), seed, (one, weak), ROLES, limit(len(retrains)))


def without_retrains():
    made = audit()
    tests = [
        TestResult(t.name, t.title, t.kind, t.meaning, t.scale, t.values, no_power=NO_RETRAINS)
        for t in made.tests
    ]
    return CaseAudit("class-wise", (3,), 0, tuple(tests), ROLES)


def test_a_strip_has_each_models_distance_by_seed_and_the_retrains_own():
    first, second = strips({0: audit(), 1: audit(1, suli=0.9)})
    spread = Spread(RETRAINS)
    assert first.places["suli"] == pytest.approx([spread.distance(v) for v in (0.52, 0.9)])
    assert first.retrains == pytest.approx([spread.distance(v) for v in RETRAINS] * 2)
    assert mean(first.retrains) == pytest.approx(0) and stdev(first.retrains[:5]) == pytest.approx(
        1
    )
    assert (first.kind, first.decides, second.decides) == ("outputs", True, False)


def test_without_retrains_a_strip_has_values():
    first, _ = strips({0: without_retrains()})
    assert first.places["original"] == [0.95] and not first.retrains and not first.decides
    drawn = strip_plot({0: without_retrains()})
    assert "no Retrains to compare with" in drawn.caption and "band" not in drawn.caption


def test_the_picture_is_on_both_backgrounds_and_says_how_many_retrains_and_seeds():
    drawn = strip_plot({0: audit(), 2: audit(2)})
    assert "mean of 5 Retrains" in drawn.caption and "n=2 seeds (0, 2)" in drawn.caption
    assert "seeds" not in strip_plot({0: audit()}).caption
    for theme, png in ((LIGHT, drawn.light), (DARK, drawn.dark)):
        image = Image.open(io.BytesIO(png)).convert("RGB")
        assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((0, 0))) == theme.background


def test_only_the_chosen_models_are_drawn_and_keep_their_marks():
    """The first hue is SULI's, whoever is drawn beside it; nothing else here has a hue."""
    hue = tuple(int(LIGHT.hues[0][at : at + 2], 16) for at in (1, 3, 5))

    def has_hue(drawn):
        colors = Image.open(io.BytesIO(drawn.light)).convert("RGB").getcolors(10**6)
        # Edges are blended with what they lie on.
        return any(max(abs(a - b) for a, b in zip(hue, c, strict=True)) < 16 for _, c in colors)

    audits = {0: audit()}
    assert has_hue(strip_plot(audits)) and has_hue(strip_plot(audits, ["suli"]))
    assert not has_hue(strip_plot(audits, ["original", "bias_mask"]))
    assert not has_hue(strip_plot(audits, ["suli"], known=["su", "suli"]))
