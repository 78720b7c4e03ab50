"""What an original says of every set of a request, before anything is unlearned."""

from __future__ import annotations

from accelerate import Accelerator

from benchmark_adapters.deletion.belonging import check_belonging
from benchmark_adapters.deletion.data import DeletionData
from benchmark_adapters.deletion.measures import Answers, answers_of
from benchmark_adapters.originals.load import LoadedOriginal


def answers_of_original(
    original: LoadedOriginal, data: DeletionData, accelerator: Accelerator
) -> Answers:
    """One pass over each set. Raises Failure if the answers look like guessing."""
    try:
        found = answers_of(original.model, data, accelerator)
    except (RuntimeError, IndexError) as error:
        shape = tuple(data.forget[0][0].shape)
        raise ValueError(
            f"{original.source} cannot take images of shape {shape}: {str(error).splitlines()[0]}"
        ) from error
    check_belonging(
        {name: of for name, of in found.items() if "forgotten_before" not in name},
        data.forget_classes,
        original=original.source,
        outputs=original.config.classes or range(original.config.num_classes),
        before=data.before,
    )
    return found
