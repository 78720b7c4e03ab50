"""The order in which SSD's batches are filled, said once more."""

import hashlib

from small_problem import tensors


def in_order(images, scope):
    """All images and labels: class by class if class-wise, then by the hashes of the ids."""
    pixels, labels = tensors(images)

    def place(at):
        hashed = hashlib.sha256(images.ids[at].encode()).digest()
        return (int(labels[at]) if scope == "class-wise" else 0, hashed)

    order = sorted(range(len(labels)), key=place)
    return pixels[order], labels[order]
