"""Which columns of a dataset hold the images, the labels and the ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

IMAGE_COLUMNS = ("img", "image", "images", "picture")
LABEL_COLUMNS = ("label", "labels", "fine_label", "target", "class")


def image_column(features: Any, asked: str | None, name: str) -> str:
    """The column with an Image feature; `asked` if it is one.

    Raises ValueError, naming the columns there are, where that does not say which.
    """
    from datasets import Image

    found = [column for column, feature in features.items() if isinstance(feature, Image)]
    if asked is not None:
        if asked not in found:
            raise ValueError(f"{name} has no image column {asked!r}; {described(features)}")
        return asked
    if len(found) == 1:
        return found[0]
    named = [column for column in IMAGE_COLUMNS if column in found]
    return _first_of(named, "image", features, name)


def label_column(features: Any, asked: str | None, name: str) -> str:
    """The column with the labels: the first with a label's name, or the one of class labels.

    Raises ValueError, naming the columns there are, where that does not say which.
    """
    from datasets import ClassLabel

    if asked is not None:
        if asked not in features:
            raise ValueError(f"{name} has no label column {asked!r}; {described(features)}")
        return asked
    named = [column for column in LABEL_COLUMNS if column in features]
    classes = [column for column in features if isinstance(features[column], ClassLabel)]
    if len(classes) != 1 or classes[0] in named:
        return _first_of(named, "label", features, name)
    if named:
        raise ValueError(
            f"{name}: which column is the label, {named[0]!r} or the class labels {classes[0]!r}? "
            f"Pass --label-column; {described(features)}"
        )
    return classes[0]


def other_labels(features: Any, used: str) -> tuple[str, ...]:
    """A line on the columns that might be taken for the labels as well, if there are any."""
    others = [column for column in LABEL_COLUMNS if column in features and column != used]
    if not others:
        return ()
    names = " and ".join(repr(column) for column in others)
    return (f"the labels are those of column {used!r}, not of {names} (--label-column)",)


def id_column(features: Any, asked: str | None, name: str) -> str | None:
    """The column that was asked for. Raises ValueError if there is none of that name."""
    if asked is not None and asked not in features:
        raise ValueError(f"{name} has no column {asked!r} for ids; {described(features)}")
    return asked


def values_of(dataset: Dataset, name: str) -> Any:
    """The values of a column, in Arrow's chunks."""
    return dataset.select_columns(name).with_format("arrow")[:].column(name)


def described(features: Any) -> str:
    """The columns and their types, for a message."""
    from datasets import Value

    columns = (
        f"{name} ({feature.dtype if isinstance(feature, Value) else type(feature).__name__})"
        for name, feature in features.items()
    )
    return f"its columns: {', '.join(columns)}"


def _first_of(found: list[str], what: str, features: Any, source: str) -> str:
    if found:
        return found[0]
    raise ValueError(
        f"{source}: which column is the {what}? Pass --{what}-column; {described(features)}"
    )
