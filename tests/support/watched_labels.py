"""The labels that a method teaches."""

from contextlib import contextmanager

from small_problem import trained_convnet

from suli_plugin import run


def taught_labels(unlearner, wanted, kind="forget"):
    """All labels of the set of this kind at every update, in the set's own order."""
    taught = []

    @contextmanager
    def watch(terms):
        taught.extend(term.images.labels for term in terms if term.images.kind == kind)
        yield

    run(unlearner, trained_convnet(), wanted, watch=watch)
    return taught
