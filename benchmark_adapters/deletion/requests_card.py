"""What a model card says of several requests that were fulfilled in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark_adapters.deletion.request_rates import known
from benchmark_adapters.deletion.wording import counted, plain


def requests_section(facts: Mapping[str, Any]) -> str:
    """A table of the requests in their order; empty for one alone."""
    requests, after = facts.get("requests", ()), facts.get("after_each", ())
    if not requests:
        return ""
    rows = "\n".join(
        f"| {plain(each['name'])} | {each['date']} | {_what(each)} | "
        f"{known(own['measured'][-1]):.4f} | {known(last):.4f} |"
        for each, own, last in zip(requests, after, after[-1]["measured"], strict=True)
    )
    return (
        f"\n\nIn {counted(len(requests), 'request')}, one after the other; how much of each is "
        f"recognised, of its samples or of new ones of its class:\n\n"
        f"| request | of | forgotten | after it | in the end |\n|---|---|---|---|---|\n{rows}"
    )


def _what(request: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{plain(name)}`" for name in request["class_names"])
    return names or counted(request["count"], "sample")
