"""Equal tuning as it is committed: files of trials from a real run, and the tables made of them."""

import pytest
from tuning_run import Tuned

from benchmark_adapters.tuning.trial_file import read_trials, write_trials
from leaderboards.comparison.equal_tuning import equal_tuning_tables


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Of two methods one is over the budget with its start, the other with all it tries."""
    runs = tmp_path_factory.mktemp("runs")
    return Tuned(runs, ["slow", "neg_grad"], passes=250, scenarios=["instance-64"],
                 by_hand={"neg_grad": {"epochs": 50, "stop": "never"}})  # fmt: skip


def written(tuned, folder):
    return {method.label: write_trials(folder, method, tuned.tuning) for method in tuned.methods}


def test_a_file_of_trials_has_every_trial_what_it_cost_and_how_it_was_made_once(tuned, tmp_path):
    paths = written(tuned, tmp_path)
    assert paths["slow"] == tmp_path / "instance-wise" / "slow.jsonl"
    found, by_cell = read_trials(paths["slow"]), {r["cell"]: r for r in tuned.outcome.records}
    assert found["budget"] == {"trials": 3, "passes": 250} and len(found["trials"]) == 3
    assert found["chosen"] == tuned.choices[0]["trial"] and found["at_edge"] == ["epochs"]
    for trial in found["trials"]:
        [run] = trial["runs"]
        record = by_cell[run["cell"]]
        assert {name: record[name] for name in run if name != "score"}.items() <= run.items()
        assert run["score"] == trial["score"] == record["tuning"]["score"]
    [made] = found["made"]
    assert made["versions"] == record["versions"] and made["hardware"] == record["hardware"]
    assert read_trials(paths["neg_grad"])["chosen"] is None


def test_a_file_that_was_altered_is_refused(tuned, tmp_path):
    path = written(tuned, tmp_path)["slow"]
    whole = path.read_text()
    path.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="no whole file of trials"):
        equal_tuning_tables(tmp_path)
    path.write_text("[]\n[]")
    with pytest.raises(ValueError, match="no file of trials"):
        read_trials(path)


def test_the_table_sets_start_and_choice_side_by_side_and_marks_the_edge(tuned, tmp_path):
    written(tuned, tmp_path)
    [(name, table)] = equal_tuning_tables(tmp_path).items()
    assert name == "tuning.digits.instance-wise"
    titles, _, slow, none, _, note = table.splitlines()
    cells = dict(zip(titles.split(" | "), slow.split(" | "), strict=True))
    chosen = tuned.methods[0].chosen
    assert slow.startswith("| `slow`\\* | `epochs=1` | over budget |")
    assert cells["Score chosen"] == f"{chosen.score:.3f}"
    assert cells["Held-out %"] == f"{100 * chosen.metric('validation_accuracy'):.1f}"
    assert cells["Ended"] == "2 over budget" and slow.endswith("| 384 |")
    assert none.startswith("| `neg_grad` | no choice | over budget | - |")
    assert note == "\\* At the edge of what was tried: `slow` epochs."


def test_without_a_folder_there_is_no_table(tmp_path):
    assert equal_tuning_tables(tmp_path / "none") == {}
