"""Vision transformers of both libraries: every forget-only method, the audit and the report."""

import json
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from report_page import Page, report
from short_methods import our_methods, short
from small_transformers import VitBenchmark, images, original, vit, vit_request

from benchmark_adapters.audit.observe import head_of
from benchmark_adapters.baselines.aru import ARU
from benchmark_adapters.baselines.bn_drift import BatchNormDrift
from benchmark_adapters.baselines.drift_mask import DriftMask
from benchmark_adapters.baselines.gkt import Gkt
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from suli_plugin import evaluate, run
from suli_plugin.method_rows import FORGET_ONLY, group_of
from suli_plugin.plugins import registry
from suli_plugin.registry import Origin

LIBRARIES = ("timm", "transformers")
SCOPES = ("class-wise", "instance-wise")
SHOWN = images(12, 9)


def seen(model):
    return evaluate(model, SHOWN, Accelerator(), features=True)


def changed(one, other):
    other = other.state_dict()
    return {name for name, value in one.state_dict().items() if not torch.equal(value, other[name])}


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_original_has_learnt_its_images(library):
    assert evaluate(original(library), images(64, 0), Accelerator()).accuracy() > 0.95


@pytest.mark.parametrize(
    ("library", "options"),
    [("timm", {}), ("timm", {"global_pool": "avg"}), ("timm", {"global_pool": "map"}),
     ("transformers", {})],
    ids=["class token", "average and norm", "attention pooling", "transformers"],
)  # fmt: skip
def test_features_are_those_before_the_head(library, options):
    model = vit(library, **options).eval()
    found, batch = seen(model), SHOWN.batch(torch.arange(len(SHOWN)), torch.device("cpu"))
    with torch.no_grad():
        if library == "timm":
            expected = model.forward_head(model.forward_features(batch.images), pre_logits=True)
        else:
            expected = model.vit(batch.images).last_hidden_state[:, 0]
    torch.testing.assert_close(found.features, expected)
    head = head_of(model)
    torch.testing.assert_close(found.features @ head.weight.T + head.bias, found.logits)


def outcomes(library, scope):
    """What each method made of the original: the names of changed weights, or why not."""
    found, asked = {}, vit_request(library, scope)
    for cls in our_methods():
        if group_of(cls) == FORGET_ONLY and scope in cls.needs:
            method = short(cls(), epochs=1, iterations=2, sweeps=1)
            if cls is ARU:
                # Colours this plain are taken for others only from afar.
                method = replace(method, radius=0.5, iterations=5)
            try:
                result = run(method, original(library), asked)
            except ValueError as error:
                found[cls.name] = str(error)
                continue
            assert evaluate(result.model, SHOWN, Accelerator()).logits.isfinite().all()
            found[cls.name] = changed(original(library), result.model)
    return found


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_every_forget_only_method_unlearns_from_it(library, scope):
    found = outcomes(library, scope)
    assert {"suli", "su", "neg_grad", "boundary_shrink", "semu"} <= found.keys()
    assert {name: why for name, why in found.items() if isinstance(why, str)} == {}
    assert [name for name, weights in found.items() if not weights] == []


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_layer_norm_drifts_nowhere(library, scope):
    result = run(BatchNormDrift(), original(library), vit_request(library, scope))
    assert result.steps > 0 and changed(original(library), result.model) == set()


def test_drift_and_mask_are_the_mask_alone():
    result = run(DriftMask(), original("timm"), vit_request("timm", "class-wise"))
    assert changed(original("timm"), result.model) == {"head.bias"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_presumes_convolutions_says_so(library):
    asked, model = vit_request(library, "class-wise"), original(library)
    with pytest.raises(ValueError, match=r"gkt compares what .* has none but the one that cuts"):
        run(Gkt(iterations=1), model, asked)
    brief = Gkt(iterations=1, batch_size=4, attention_weight=0.0)
    assert run(brief, model, asked).stop_reason in ("all rounds done", "nothing passed the gate")


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """The folder of a run with an audit, its outcome, and the page of its report."""
    folder = tmp_path_factory.mktemp("vit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry().benchmarks, "small_vit", VitBenchmark)
        patch.setitem(registry().origins, "small_vit", Origin("tests", "tests", "0"))
        cells = plan(VitBenchmark(), registry(), seeds=[0], retrains=2, accelerator=Accelerator())
        outcome = run_grid(cells, VitBenchmark(), registry(), folder, Accelerator())
        done = report(folder, "--methods", "suli", "--json")
    assert not outcome.failed and done.exit_code == 0, done.output
    return outcome, json.loads(done.output), Page.of(folder / "report")


def test_an_audit_judges_it_by_features_and_knows_the_drift_for_the_original(audited):
    outcome, _, _ = audited
    (audit,) = outcome.audits.values()
    tests = {test.name: test for test in audit.tests}
    probes = [tests[name].values for name in ("linear_probe", "linear_probe_settled", "few_shot")]
    assert all(set(values) == set(audit.roles) for values in probes)
    for test in audit.tests:
        assert test.values.get("bn_drift") == test.values.get("original"), test.name
    # Without BatchNorm there is nothing to settle.
    assert tests["linear_probe"].values == tests["linear_probe_settled"].values
    (drift,) = (each for each in outcome.records if each["method"] == "bn_drift")
    assert drift["unlearned_hash"] == drift["original_hash"]


def test_a_report_shows_it_and_says_what_it_has_no_maps_for(audited):
    _, told, page = audited
    assert "small_vit class-1" in page.text and len(told["pictures"]) >= 4
    (left,) = told["left_out"]
    assert left["picture"].startswith("What the models look at")
    assert "no maps of features behind the layer that cuts images into patches" in left["reason"]
