"""Boards are about single requests, and why: requests that follow one another are refused."""

from __future__ import annotations

from suli_plugin.scenario import scenario_of

WHY = (
    "a record keeps the last request's model alone, so that nobody could compute again what was "
    "measured after the others"
)


def check_one_request(scenario: str) -> None:
    """Raise ValueError for a scenario of several requests, and for a name of none."""
    requests = scenario_of(scenario).requests
    if requests > 1:
        raise ValueError(
            f"{scenario} is of {requests} requests, and no board takes those: {WHY}; name "
            f"scenarios class-N or instance-N"
        )


def is_of_several(scenario: str) -> bool:
    """Whether it names requests that follow one another."""
    try:
        return scenario_of(scenario).requests > 1
    except ValueError:
        return False
