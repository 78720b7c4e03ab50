"""Labels as datasets have them, whole numbers or names, as the numbers of classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from suli_plugin.failure import Failure, Gone

BOOLEANS = ("False", "True")


def class_names_of(
    feature: Any, columns: Callable[[], Iterable[Any]], what: str
) -> tuple[str, ...]:
    """The names of the classes by label; none where the labels are numbers.

    feature: of the column. columns: its values (Arrow) in every split, read only where the names
    are what they hold: those are sorted, and numerals by their value. what: for messages.
    """
    from datasets import ClassLabel

    while hasattr(feature, "feature"):
        feature = feature.feature
    if isinstance(feature, ClassLabel):
        return tuple(feature.names or ())
    kind = str(getattr(feature, "dtype", ""))
    if kind == "bool":
        return BOOLEANS
    if "string" not in kind:
        return ()
    values = (one_each(column, what).unique().to_pylist() for column in columns())
    names = {value for found in values for value in found if value}
    return tuple(sorted(names, key=int if are_numerals(names) else str))


def are_numerals(names: Iterable[str]) -> bool:
    """Whether all names are whole numbers, so that an index could be mistaken for a name."""
    names = list(names)
    return bool(names) and all(name.isdecimal() for name in names)


def label_named(
    name: str | int, names: Sequence[str], labels: Callable[[], Tensor], source: str
) -> int:
    """The label of a class, given by its name, or by its place among the names: `#3`, or a number.

    Where classes have no names, their numbers are the names, and labels says which there are.
    Where names are numerals, a place could be mistaken for one, and only names count. Raises
    Gone naming the classes there are.
    """
    text = str(name)
    numerals, known, how = are_numerals(names), ", ".join(names), ""
    if text in names:
        return list(names).index(text)
    if not names:
        present = sorted(set(labels().tolist()))
        number = text.removeprefix("#")
        if number.isdecimal() and int(number) in present:
            return int(number)
        known = f"{present[0]} to {present[-1]}" if present else "none"
    elif not numerals:
        place = f"#{name}" if isinstance(name, int) else text
        if re.fullmatch(r"#[0-9]+", place) and int(place[1:]) < len(names):
            return int(place[1:])
        how = f" (a class by its place among them: '#{text}')" * text.isdecimal()
    raise Gone(f"{source} has no class {text!r}; its classes: {known}{how}")


@contextmanager
def chosen_column(*, asked: bool) -> Iterator[None]:
    """Labels that can't be used are the data's fault, unless their column was asked for."""
    try:
        yield
    except ValueError as error:
        if asked:
            raise
        raise Failure(str(error)) from error


def numbered(column: Any, names: Sequence[str], what: str) -> Tensor:
    """Labels as int64 (N,), from an Arrow column of any of these kinds.

    Whole numbers of any width, also as floats; truth values and names, which are looked up in
    `names`; lists and arrays of one of them. Raises ValueError, beginning with `what` and naming
    the first row, for samples without a label, several labels, fractions, and labels that no
    name belongs to.
    """
    import pyarrow
    from pyarrow import compute

    values = one_each(column, what)
    kind = values.type
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        values = compute.if_else(compute.equal(values, ""), None, values)
        values = compute.index_in(values, pyarrow.array(list(names), type=kind))
    elif pyarrow.types.is_floating(kind):
        values = compute.if_else(compute.is_nan(values), None, values)
        fractions = compute.not_equal(values, compute.floor(values))
        _refuse(fractions, values, f"{what}: holds", "which is the number of no class")
    elif not (pyarrow.types.is_integer(kind) or pyarrow.types.is_boolean(kind)):
        raise ValueError(f"{what}: is of type {kind}; expected whole numbers or names of classes")
    if values.null_count:
        row = values.is_null().to_pylist().index(True)
        raise ValueError(
            f"{what}: {values.null_count} samples have no label, the first in row {row}"
        )
    labels = torch.from_numpy(values.cast(pyarrow.int64()).to_numpy(zero_copy_only=False).copy())
    _check_range(labels, names, what)
    return labels


def one_each(column: Any, what: str) -> Any:
    """The values of an Arrow column; of lists and arrays the one element that each has.

    Raises ValueError where one has several: multi-label data are not supported.
    """
    import pyarrow
    from pyarrow import compute

    values = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    while True:
        kind = values.type
        if isinstance(values, pyarrow.ExtensionArray):
            values = values.storage
        elif pyarrow.types.is_dictionary(kind):
            values = values.dictionary_decode()
        elif any(is_list(kind) for is_list in (
            pyarrow.types.is_list, pyarrow.types.is_large_list, pyarrow.types.is_fixed_size_list
        )):  # fmt: skip
            lengths = compute.list_value_length(values)
            _refuse(
                compute.greater(lengths, 1), lengths, f"{what}: the number of labels is",
                "but multi-label data are not supported: expected one label a sample",
            )  # fmt: skip
            # An empty list is a sample without a label.
            values = compute.list_element(
                compute.if_else(compute.equal(lengths, 1), values, None), 0
            )
        else:
            return values


def _check_range(labels: Tensor, names: Sequence[str], what: str) -> None:
    missing = labels < 0
    if bool(missing.any()):
        raise ValueError(
            f"{what}: {int(missing.sum())} samples have no label (-1, as unlabelled data has it)"
        )
    wrong = labels >= len(names)
    if names and bool(wrong.any()):
        row = int(wrong.int().argmax())
        raise ValueError(
            f"{what}: {int(wrong.sum())} samples have labels beyond the {len(names)} classes that "
            f"are declared, such as {int(labels[row])} in row {row}"
        )


def _refuse(wrong: Any, values: Any, what: str, why: str) -> None:
    """Raise ValueError for the first value that is wrong."""
    flags = wrong.to_pylist()
    if True in flags:
        row = flags.index(True)
        raise ValueError(f"{what} {values[row].as_py()!r} in row {row}, {why}")
