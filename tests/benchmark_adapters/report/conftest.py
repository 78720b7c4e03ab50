"""A run of the benchmark `digits`, and the report of all of it."""

import pytest
from made_once import made_once
from report_page import Page, report
from run_of_digits import run_of_digits


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    return made_once(tmp_path_factory, "run-of-digits", run_of_digits)


@pytest.fixture(scope="session")
def made(run, tmp_path_factory):
    """The folder of the report of the whole run."""
    folder = tmp_path_factory.mktemp("report")
    done = report(run, "--output", folder)
    assert done.exit_code == 0 and "11 pictures" in done.output, done.output
    return folder


@pytest.fixture(scope="session")
def page(made):
    return Page.of(made)
