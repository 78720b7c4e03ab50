"""UTKFace's file names: what they say, and which of the published ones say too little."""

import pytest
from face_images import LACKING, ODD
from hypothesis import given
from hypothesis import strategies as st

from benchmark_adapters.benchmarks.utkface_names import EXAMPLE, OLDEST, FaceName, parse_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (EXAMPLE, FaceName(26, 1, 3, "20170117175041574")),
        ("1_0_2_20161219140530307.jpg", FaceName(1, 0, 2, "20161219140530307")),
        ("116_1_0_20170120134921760.JPG", FaceName(116, 1, 0, "20170120134921760")),
        ("UTKFace/part1/0_0_4_20170110213056758.png", FaceName(0, 0, 4, "20170110213056758")),
        ("C:\\faces\\9_1_1_20170110213056758.jpg", FaceName(9, 1, 1, "20170110213056758")),
        ("44_1_4_20170116235150272.pg", FaceName(44, 1, 4, "20170116235150272")),
    ],
)
def test_a_name_says_age_gender_race_and_date(name, expected):
    assert parse_name(name) == expected


@pytest.mark.parametrize(("name", "age"), ODD.items())
def test_a_space_or_a_missing_dot_before_the_ending_hides_nothing(name, age):
    assert parse_name(name).age == age


@pytest.mark.parametrize("name", LACKING)
def test_published_names_that_lack_a_field_are_refused(name):
    with pytest.raises(ValueError, match=r"three|four|gender"):
        parse_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("117_0_0_20170109150557335.jpg", "age from 0 to 116, got '117'"),
        ("-1_0_0_20170109150557335.jpg", "age from 0 to 116, got '-1'"),
        ("26_2_0_20170109150557335.jpg", "gender from 0 to 1, got '2'"),
        ("26_0_5_20170109150557335.jpg", "race from 0 to 4, got '5'"),
        ("26.5_0_0_20170109150557335.jpg", "1 fields, expected four"),
        ("\u0662\u0666_0_0_20170109150557335.jpg", "expected age"),
        ("26_0_0_yesterday.jpg", "expected a date of digits, got 'yesterday'"),
        ("26_0_0_.jpg", "expected a date of digits"),
        ("26_0_0_20170109150557335_1.jpg", "5 fields, expected four: AGE_GENDER_RACE_DATE"),
        ("cover.jpg", "1 fields"),
        ("", "1 fields"),
    ],
)
def test_other_names_are_refused_with_what_is_wrong(name, message):
    with pytest.raises(ValueError, match=message):
        parse_name(name)


@given(
    st.integers(0, OLDEST),
    st.integers(0, 1),
    st.integers(0, 4),
    st.sampled_from([".jpg", ".jpg.chip.jpg", " .jpg", "jpg.chip.jpg", ".png", ""]),
)
def test_whatever_the_ending_a_written_name_is_read_back(age, gender, race, ending):
    name = f"{age}_{gender}_{race}_20170109150557335{ending}"
    assert parse_name(name) == FaceName(age, gender, race, "20170109150557335")


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(name):
    try:
        assert 0 <= parse_name(name).age <= OLDEST
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
