"""An audit beside its checkpoint: quoted, verified, published, and only of its own weights."""

import json
import re
import shutil

import pytest
from digits_as_images import suli

from benchmark_adapters.deletion.publish import publish
from benchmark_adapters.deletion.quoted_audit import add_audit
from benchmark_adapters.deletion.receipt_check import verify_receipt
from benchmark_adapters.hub.access import HubSource
from benchmark_adapters.hub.snapshot import snapshot


@pytest.fixture(scope="module")
def quoted(retrains, suli_checkpoint, original, digits, tmp_path_factory):
    """A checkpoint that was audited with --quote; not to be altered."""
    place = tmp_path_factory.mktemp("quoted")
    folder = shutil.copytree(suli_checkpoint, place / "checkpoint")
    output = shutil.copytree(retrains.folder, place / "output")
    suli("audit", folder, "--original", original, "--dataset", digits, *retrains.options(),
         "--output", output, "--quote", code=1)  # fmt: skip
    return folder


@pytest.fixture
def folder(quoted, tmp_path):
    return shutil.copytree(quoted, tmp_path / "checkpoint")


def states(folder, original, digits):
    checks = verify_receipt(folder, model=str(original), dataset=str(digits))
    return {check.what: check.state for check in checks}


def test_the_card_quotes_the_audit_and_the_receipt_still_holds(quoted, original, digits):
    told = json.loads((quoted / "audit.json").read_text())
    card = (quoted / "README.md").read_text()
    section = card[card.index("## Audit") : card.index("## Use")]
    assert told["headlines"]["model"] in section
    assert told["verdict"]["sentence"][1:] in section
    assert "with 5 Retrains and 7 controls that forget nothing" in section
    assert told["hashes"]["model"] in section
    found = states(quoted, original, digits)
    assert set(found.values()) == {"matches"} and {"audit.json", "README.md"} <= found.keys()


def test_another_audit_takes_the_place_of_the_first(folder, original, digits):
    first = (folder / "README.md").read_text()
    add_audit(folder, (folder / "audit.json").read_text())
    assert (folder / "README.md").read_text() == first
    audit = json.loads((folder / "audit.json").read_text())
    for test in audit["tests"]:
        test["no_power"] = "for this test"
    add_audit(folder, json.dumps(audit))
    card = (folder / "README.md").read_text()
    assert card.count("## Audit") == 1 and "no test has power here" in card
    assert set(states(folder, original, digits).values()) == {"matches"}


def test_an_audit_of_other_weights_is_refused(folder, retrains, original, digits):
    before = (folder / "README.md").read_text()
    other = (retrains.folder / "audit.json").read_text()
    with pytest.raises(ValueError, match=r"audit\.json is an audit of other weights"):
        add_audit(folder, other)
    assert (folder / "README.md").read_text() == before
    (folder / "audit.json").write_text(other)
    found = states(folder, original, digits)
    assert found["audit.json"] == found["README.md"] == "differs"
    with pytest.raises(ValueError, match=r"not as its receipt says: README\.md, audit\.json"):
        publish(folder, "ada/net")


@pytest.mark.parametrize("harm", ["altered", "no audit", "no quote", "broken"])
def test_what_was_done_to_the_quote_is_seen(folder, original, digits, harm):
    card = folder / "README.md"
    text = card.read_text()
    if harm == "altered":
        card.write_text(re.sub(r"\d+ of \d+ tests with power say", "9 of 9 tests say", text))
    elif harm == "no audit":
        (folder / "audit.json").unlink()
    elif harm == "no quote":
        start, end = text.index("## Audit"), text.index("## Use")
        card.write_text(text[:start] + text[end:])
    else:
        (folder / "audit.json").write_text('{"format": "suli-audit/1"}')
    found = states(folder, original, digits)
    if harm == "no quote":
        # A card need not quote it.
        assert set(found.values()) == {"matches"}
    else:
        assert found["README.md"] == "differs"


def test_the_audit_is_published_with_the_checkpoint(folder, hub):
    hub.seed_repo("ada/net", "model", {"notes.txt": b"nothing yet"})
    published = publish(folder, "ada/net")
    there, _ = snapshot(HubSource("ada/net", published.revision), kind="model")
    assert (there / "audit.json").read_bytes() == (folder / "audit.json").read_bytes()
    assert "## Audit" in (there / "README.md").read_text()
    assert not publish(folder, "ada/net").changed
    states = {check.what: check.state for check in verify_receipt("ada/net")}
    assert states["audit.json"] == states["README.md"] == "matches"


def test_only_a_folder_with_a_receipt_takes_a_quote(retrains, original, digits):
    done = suli("audit", retrains.another, "--original", original, "--dataset", digits,
                "--forget-class", "three", "--quote", code=2)  # fmt: skip
    assert "holds no receipt (unlearning.json)" in done.stderr
