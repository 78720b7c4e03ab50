"""Age groups as people write them."""

import pytest

from benchmark_adapters.benchmarks.age_groups import age_groups, group_of


def test_both_ends_belong_to_a_group_and_gaps_to_none():
    groups = age_groups(("20-40", "0-12", "60", "61-116"))
    ages = {20: 0, 40: 0, 0: 1, 12: 1, 60: 2, 61: 3, 116: 3, 13: None, 19: None, 41: None}
    assert {age: group_of(age, groups) for age in ages} == ages
    assert [group.name for group in groups] == ["20-40", "0-12", "60", "61-116"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((), "two age groups or more, such as 0-19,20-116; got 0"),
        (("0-116",), "two age groups or more"),
        (("0-20", "20-40"), "0-20 and 20-40 share the age 20"),
        (("30-40", "0-116"), "0-116 and 30-40 share the age 30"),
        (("5", "5"), "share the age 5"),
        (("0-19", "40-20"), "got '40-20'"),
        (("0-19", "20-117"), "ages from 0 to 116, such as 20-40; got '20-117'"),
        (("0-19", "20+"), r"got '20\+'"),
        (("0-19", ""), "got ''"),
        (("0-19", " 20-30"), "got ' 20-30'"),
    ],
)
def test_groups_that_are_no_groups_are_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        age_groups(texts)
