"""Generated images in the file layouts of UTKFace and VGGFace2, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from small_images import encoded, pixels_of

# Published names that lack a field, in the aligned images and in those in the wild.
LACKING = (
    "39_1_20170116174525125.jpg.chip.jpg",
    "61_1_20170109142408075.jpg.chip.jpg",
    "61_1_20170109150557335.jpg.chip.jpg",
    "53__0_20170116184028385.jpg",
    "61_3_20170109150557335.jpg",
)
# Published names with a space, or without a dot, before the ending.
ODD = {
    "24_0_1_20170116220224657 .jpg.chip.jpg": 24,
    "55_0_0_20170116232725357jpg.chip.jpg": 55,
}
AGES = (0, 1, 19, 20, 26, 40, 41, 77, 110, 116)


def utkface_folder(folder: Path, ages: Sequence[int] = AGES, each: int = 6) -> Path:
    """Images of these ages, `each` of them, the odd names among them, and no other name."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{age}_{n % 2}_{n % 5}_{20170109150557000 + n}.jpg.chip.jpg"
             for age in ages for n in range(each)]  # fmt: skip
    put_images(folder, [*names, *ODD])
    return folder


def put_images(folder: Path, names: Sequence[str], seed: int = 0, side: int = 20) -> None:
    """JPEGs of random pixels, all different, under these names."""
    for name, pixels in zip(names, pixels_of(len(names), seed, side), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(pixels, "JPEG"))


def vggface2_folder(folder: Path, identities: int = 4, each: int = 6) -> Path:
    """`train/n000002/0001_01.jpg` and so on, `test/` with other people, and the lists beside."""
    people = [f"n{number:06}" for number in range(2, 2 + identities)]
    train = [f"{name}/{n + 1:04}_{n % 3 + 1:02}.jpg" for name in people for n in range(each)]
    test = [f"{name}/{n + 1:04}_01.jpg" for name in ("n000001", "n000009") for n in range(2)]
    put_images(folder / "train", train)
    put_images(folder / "test", test, seed=1)
    (folder / "train_list.txt").write_text("\n".join(train))
    (folder / "test_list.txt").write_text("\n".join(test))
    return folder
