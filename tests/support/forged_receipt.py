"""A careful forger: whatever a receipt is made to say, its digests, its card and its config say it
too.
"""

import hashlib
import json

from benchmark_adapters.deletion.case import case_of
from benchmark_adapters.deletion.checkpoint_files import CARD, file_hashes
from benchmark_adapters.deletion.model_card import parted, said, use
from benchmark_adapters.deletion.receipt import read_receipt, write_receipt
from benchmark_adapters.deletion.unlearned_checkpoint import eval_results, unlearning_block
from benchmark_adapters.originals.checkpoints import CONFIG, WEIGHTS
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.record import completed
from benchmark_adapters.records.run_record import cell_of_record


def forged(folder, change):
    """Alter the receipt by `change(receipt)`, and make everything that follows from it right."""
    receipt = read_receipt(folder)
    change(receipt)
    record = receipt["record"]
    record["case"] = case_of(
        record["original_hash"], record["set_hashes"], receipt["forget_set"]["classes"]
    )
    record["cell"] = cell_of_record(record)
    receipt["record"] = completed(record)
    config = json.loads((folder / CONFIG).read_text())
    config["unlearning"] = unlearning_block(receipt)
    (folder / CONFIG).write_text(json.dumps(config))
    for name, text in eval_results(receipt).items():
        (folder / name).write_text(text)
    _, place = parted((folder / CARD).read_text())
    card_again(folder, receipt, said(receipt), place)


def card_again(folder, receipt, body, place="out"):
    """Write a card that says `body`, and the receipt that has its hash and the files'."""
    (folder / CARD).write_text(body + use(place))
    receipt["card"] = hashlib.sha256(body.encode()).hexdigest()
    resealed(folder, receipt)


def resealed(folder, receipt):
    """Write a receipt over the files as they are, with right hashes and digests."""
    receipt["result"]["sha256"] = file_hashes(folder)[WEIGHTS]
    kept = {key: value for key, value in receipt.items() if key not in ("digest", "files")}
    write_receipt(folder, kept)


def other_weights(folder, alter):
    """Alter the unlearned weights, and all that is said of them."""
    import safetensors.torch

    state = safetensors.torch.load_file(folder / WEIGHTS)
    alter(state)
    safetensors.torch.save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    found = state_hash(load_original(folder).model)

    def say(receipt):
        receipt["result"]["state_hash"] = receipt["record"]["unlearned_hash"] = found

    forged(folder, say)
