"""Each committed figure has its command, which makes the very record again, and what is known."""

import re
import shlex
from dataclasses import replace

import pytest
from click.testing import CliRunner
from repository import ROOT

from benchmark_adapters.grid.again import fields_of
from benchmark_adapters.grid.benchmark_options import made_benchmark
from benchmark_adapters.grid.choices import settings_with_choices
from benchmark_adapters.grid.command import run_benchmark
from benchmark_adapters.grid.options import changes_by_label, setting_arguments
from benchmark_adapters.grid.retrains import settings_of
from benchmark_adapters.records.record import digest
from benchmark_adapters.tuning.command import tune
from leaderboards.claims.claimed_record import checked_record
from leaderboards.reproduction.again import all_compiled
from leaderboards.reproduction.command import reproduce
from leaderboards.reproduction.command_lines import command_line
from leaderboards.reproduction.place import Place
from leaderboards.reproduction.reasons import NOT_KNOWN, all_reasons, reasons_for
from leaderboards.reproduction.tables import committed_tables
from suli_plugin.plugins import load_plugins

RESULTS = ROOT / "leaderboards" / "results"
REGISTRY = load_plugins(strict=True)
GIVEN = (
    *("data", "original", "retain_scored", "image_size", "test_split", "config"),
    *("image_column", "label_column", "age_groups", "identities", "limit_images"),
)


@pytest.fixture(scope="module")
def tables():
    return committed_tables(RESULTS)


@pytest.fixture(scope="module")
def cells(tables):
    """Every record of every table with its command, each record once."""
    found = {}
    for own in (each for table in tables.values() for each in table.recorded):
        found.setdefault(own.record["digest"], own)
    return [(own, command_line(own, REGISTRY, Place())) for own in found.values()]


def said(*arguments, code=0):
    done = CliRunner().invoke(reproduce, ["--results", str(RESULTS), *arguments])
    assert done.exit_code == code, done.output
    return done.output


def marked(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"<!-- (?:leaderboard|headline) ([\w.-]+)", text)


def test_every_table_that_is_shown_can_be_reproduced(tables):
    written = ("COMPARISON", "AUDITS", "TUNING")
    documents = ("README.md", *(f"leaderboards/{name}.md" for name in written))
    shown = {name for document in documents for name in marked(document)}
    assert shown and shown <= set(tables)
    listed = said().splitlines()
    assert [line.split()[0] for line in listed] == list(tables)
    assert "rows from" in listed[0]


def arguments(command):
    """What click makes of a printed command line, and the subcommand's name."""
    program, group, name, *words = shlex.split(command)
    assert (program, group) == ("suli", "bench")
    of = {"run": run_benchmark, "tune": tune}[name]
    return of.make_context(name, words).params


def test_a_record_that_was_compiled_is_run_again_compiled(cells):
    own, command = cells[0]
    compiled = replace(own, record={**own.record, "compiled": "inductor"})
    assert not arguments(command)["compiled"] and not all_compiled([own])
    assert arguments(command_line(compiled, REGISTRY, Place()))["compiled"]
    assert all_compiled([compiled, compiled])
    with pytest.raises(ValueError, match="some were run compiled and some were not"):
        all_compiled([own, compiled])


def test_a_claim_to_a_compiler_is_one_that_the_command_has(cells):
    record = next(own.record for own, _ in cells if not own.is_trial)

    def claimed(**changed):
        whole = {**record, **changed}
        return checked_record({**whole, "digest": digest(whole)}, 1)

    assert claimed(compiled="inductor")["compiled"] == "inductor" and "compiled" not in claimed()
    with pytest.raises(ValueError, match=r"compiled must be one of .* got 'magic'"):
        claimed(compiled="magic")
    with pytest.raises(ValueError, match="it has a choice, but is of"):
        claimed(choice={})
    with pytest.raises(ValueError, match="choice must be an object, got None"):
        claimed(method="su@chosen")


def test_every_command_makes_the_very_cell_of_its_record(cells):
    assert len(cells) > 300
    for own, command in cells:
        record, given = own.record, arguments(command)
        assert given["scenarios"] == record["scenario"] and given["seeds"] == str(record["seed"])
        assert given["mixed_precision"] == record["precision"]
        cls, label = REGISTRY.benchmark(given["name"]), record["method"]
        assert label in given["methods"].split(",")
        changes = changes_by_label(given["changes"]).get(label, {})
        settings = settings_with_choices(cls, record["scope"])
        made = REGISTRY.unlearner(
            label, record["scope"], {**settings_of(settings, label), **changes}
        )
        assert made.hyperparameters() == fields_of(record, REGISTRY)
        options = {name: given.get(name) for name in GIVEN}
        if own.is_trial:
            told = record["tuning"]
            assert options.pop("retain_scored") == told["retain_scored"] and given["trials"] == 1
            assert given["held_out"] == told["fraction"]
            passes = cls.tuning_passes if given["passes"] is None else given["passes"] or None
            assert passes == told.get("passes")
        benchmark = made_benchmark(cls, options)
        assert benchmark.options() == record["options"]
        if record["benchmark"] == "digits":
            assert benchmark.fingerprint(record["scenario"], record["seed"]) == record["case"]


@pytest.mark.parametrize("value", [0.1, "frozen", "none", "true", "3", None, True, [0.5, 0.25], -1])
def test_settings_are_read_as_they_are_written(value):
    option, setting = setting_arguments("suli@paper", {"field": value})
    assert option == "--set"
    assert changes_by_label([setting]) == {"suli@paper": {"field": value}}


def test_figures_stand_beside_the_papers_with_what_is_known():
    text = said("paper.table-2", "--row", "suli@paper", "--cell", "cifar10-resnet20/class-1/0")
    assert "suli@paper, cifar10-resnet20 class-1" in text and "class-3" not in text
    (retain,) = [line.split() for line in text.splitlines() if "Retain %" in line][:1]
    assert retain[2:] == ["90.9", "±", "0.2", "96.0", "±", "0.1", "91.2"]
    assert "(experiments/frozen-batch-norm)" in text
    assert "recorded by (class-1/0): suli bench run cifar10-resnet20" in text


def test_the_first_part_of_their_names_means_all_tables_that_have_what_is_meant():
    text = said("paper", "--row", "suli@paper", "--cell", "cifar10-resnet20/class-1/0")
    heads = re.findall(r"^paper[.\w-]+(?=: )", text, re.MULTILINE)
    assert heads == ["paper.table-2", "paper.table-4", "paper.table-5", "paper.experiments"]


def test_places_on_this_machine_are_put_into_the_commands():
    text = said("paper.experiments", "--row", "epsilon", "--data", "my images", "--original", "net")
    line = next(line for line in text.splitlines() if "class-1/0: " in line)
    given = arguments(line.partition("class-1/0: ")[2])
    assert (given["data"], given["original"]) == ("my images", "net")
    assert set(given["changes"]) == {"suli@paper.epsilon=0.1", "suli@paper.batch_norm=frozen"}


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["digits.clas-wise"], "there is no table 'digits.clas-wise' (did you mean digits.class"),
        (["paper.table-2", "--row", "suli@papr"], "no row 'suli@papr' (did you mean suli@paper?)"),
        (["paper.table-2", "--cell", "class-1/9"], "no cell 'class-1/9' (did you mean class-1/"),
        (["paper.experiments", "--row", "epsilon", "--run"],
         "name --data, which cifar10-resnet20 had in 'data/cifar10' and --original, which"),
        (["cifar10-resnet18.class-wise", "--row", "su", "--run"], "there is nothing to run"),
        (["paper.table-2", "--row", "neg_grad", "--run", "--data", "x", "--original", "y"],
         "--data is one place, the cells are of cifar10-fast, cifar10-resnet18, cifar10-resnet20"),
        (["digits.class-wise", "--run", "--data", "x"], "digits takes no --data"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(asked, answer):
    text = said(*asked, code=2)
    assert answer in text.splitlines()[-1], text


def test_without_results_there_is_one_line(tmp_path):
    done = CliRunner().invoke(reproduce, ["--results", str(tmp_path)])
    assert done.exit_code == 2 and "there are no results in" in done.output


def test_every_reason_is_of_a_figure_that_differs_and_names_what_shows_it(tables):
    for name, reasons in all_reasons().items():
        used = {why for row in tables[name].rows for _, why in reasons_for(tables[name], row)}
        for reason in reasons:
            assert reason in used, f"{name}: no figure is meant by {reason}"
            unknown = reason.text.startswith(NOT_KNOWN)
            assert unknown or (reason.shown_by and (RESULTS / reason.shown_by).exists())
            assert reason.text.endswith(".")


def test_a_difference_that_no_experiment_explains_is_said_to_be_unknown(tables):
    table = tables["paper.table-3"]
    (row,) = [r for r in table.rows if r.title == "neg_grad, cifar10-resnet20 instance-64"]
    assert [reason.text for _, reason in reasons_for(table, row)] == ["Not known."]
