"""A real scheduler of dask.distributed and a real worker, both threads of the test's process."""

from contextlib import contextmanager


@contextmanager
def crew_maker():
    """Makes crews of the one worker, which share what a test has patched."""
    from distributed import Client

    from benchmark_adapters.cluster.crew import Crew

    here = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with Client(processes=False, **here) as client:
        yield lambda wanted: Crew(client, wanted, print)
