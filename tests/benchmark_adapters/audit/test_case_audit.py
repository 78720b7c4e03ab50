"""An audit is JSON, and comes back from it as it was."""

import json

import pytest
from drawn_observations import CLASSES, drawn_observation

from benchmark_adapters.audit.case_audit import FORMAT, CaseAudit
from benchmark_adapters.audit.judge import HELD_OUT, Judged, judge


@pytest.fixture(scope="module")
def audit():
    """Of models that are as good as any: the original, half of it, and drawn ones."""
    original = drawn_observation(0)
    models = {
        "original": original,
        HELD_OUT: drawn_observation(6),
        "half": drawn_observation(7, mixed_with=original),
        "logit_mask": original,
    }
    retrains = [drawn_observation(seed) for seed in range(1, 6)]
    case = Judged(retrains, models, frozenset({"logit_mask"}), CLASSES)
    return judge(case, hashes={"original": "0" * 64})


def test_it_comes_back_from_json_as_it_was(audit):
    text = json.dumps(audit.as_dict(), allow_nan=False)
    assert CaseAudit.of(json.loads(text)) == audit
    assert json.dumps(CaseAudit.of(json.loads(text)).as_dict(), allow_nan=False) == text


def test_who_reads_the_file_finds_headlines_and_hashes(audit):
    values = audit.as_dict()
    assert values["format"] == FORMAT and values["hashes"] == {"original": "0" * 64}
    assert values["headlines"]["half"] == audit.headline("half")
    assert set(values["headlines"]) == {"original", HELD_OUT, "half", "logit_mask"}


def test_half_of_an_original_is_told_from_models_that_are_none_of_it(audit):
    power = {test.name: test for test in audit.tests if test.has_power}
    assert {"linear_map", "read_back", "answers_map"} <= set(power)
    for name in ("linear_map", "read_back"):
        assert power[name].verdicts["half"] == "differs: under-forgotten"
    assert "half" not in audit.impostors and "logit_mask" in audit.impostors


@pytest.mark.parametrize("changed", [{"format": "suli-audit/0"}, {"format": None}])
def test_another_format_is_refused(audit, changed):
    with pytest.raises(ValueError, match="expected an audit of format 'suli-audit/1', got"):
        CaseAudit.of({**audit.as_dict(), **changed})
