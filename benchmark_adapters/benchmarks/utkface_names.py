"""UTKFace's file names, which hold its labels: AGE_GENDER_RACE_DATE, and how they go wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

FORM = "AGE_GENDER_RACE_DATE"
EXAMPLE = "26_1_3_20170117175041574.jpg.chip.jpg"
OLDEST = 116
# Digits of ASCII alone; before the endings, two published names have a space or lack the dot.
_DATE = re.compile(r"([0-9]+) *(jpe?g)?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True)
class FaceName:
    """What a name says: age in years, gender 0 (male) or 1 (female), race 0 to 4, date's digits."""

    age: int
    gender: int
    race: int
    date: str


def parse_name(name: str) -> FaceName:
    """Read a file's name; folders before it and endings after the date are left alone.

    The form is the publishers' (susanqq.github.io/UTKFace): age from 0 to 116, gender 0 or 1,
    race 0 to 4, date as yyyymmddHHMMSSFFF. Of the published files some lack the race
    (`61_1_20170109142408075.jpg.chip.jpg`) or the gender (`53__0_20170116184028385.jpg`): these
    raise ValueError. Others have a space before the ending (`24_0_1_20170116220224657
    .jpg.chip.jpg`) or no dot (`55_0_0_20170116232725357jpg.chip.jpg`): these say all there is.
    """
    fields = PurePosixPath(name.replace("\\", "/")).name.partition(".")[0].split("_")
    if len(fields) != 4:
        raise ValueError(f"{name!r} has {len(fields)} fields, expected four: {FORM}")
    *numbers, date = fields
    for field, number, most in zip(("age", "gender", "race"), numbers, (OLDEST, 1, 4), strict=True):
        if not _NUMBER.fullmatch(number) or int(number) > most:
            raise ValueError(f"{name!r}: expected {field} from 0 to {most}, got {number!r}")
    digits = _DATE.fullmatch(date)
    if digits is None:
        raise ValueError(f"{name!r}: expected a date of digits, got {date!r}")
    age, gender, race = map(int, numbers)
    return FaceName(age, gender, race, digits[1])
