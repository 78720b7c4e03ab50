"""Pairs of probability tables for property tests, zeros and certainties among them."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def distribution_pairs(draw):
    """Two float64 tables (N, K) of one shape; weights of many magnitudes, or none at all."""
    rows, classes = draw(st.integers(1, 6)), draw(st.integers(2, 7))
    weight = st.sampled_from([0.0, 1e-300, 1e-30, 1e-6, 0.1, 1.0, 3.0])
    count = rows * classes
    tables = []
    for _ in range(2):
        table = np.array(draw(st.lists(weight, min_size=count, max_size=count)))
        table = table.reshape(rows, classes)
        table[np.arange(rows), draw(st.lists(st.integers(0, classes - 1), min_size=rows,
                                             max_size=rows))] += 1.0  # fmt: skip
        tables.append(table / table.sum(1, keepdims=True))
    return tuple(tables)
