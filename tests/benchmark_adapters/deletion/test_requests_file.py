"""A CSV file of requests: its columns, its order, and what is wrong with it, by line."""

import pytest

from benchmark_adapters.deletion.requests_file import ListedRequest, read_requests


@pytest.fixture
def read(tmp_path):
    def read(text, encoding="utf-8"):
        (tmp_path / "requests.csv").write_text(text, encoding=encoding)
        return read_requests(tmp_path / "requests.csv")

    return read


def test_rows_of_a_request_are_one_in_the_order_of_dates_and_of_the_file(read):
    text = "id,request,date\na-1,r7,2026-03-01\nb-1, r2 ,2026-01-05\n\nb-2,r9,2026-01-05\na-2,r7,2026-03-01\n"  # noqa: E501
    assert read(text) == (
        ListedRequest("r2", "2026-01-05", ids=("b-1",)),
        ListedRequest("r9", "2026-01-05", ids=("b-2",)),
        ListedRequest("r7", "2026-03-01", ids=("a-1", "a-2")),
    )


def test_a_folder_of_files_of_whatever_spreadsheet(tmp_path):
    (tmp_path / "b.csv").write_text("request,date,class\r\nr1,2026-01-01,'#3'\r\n", "utf-16")
    (tmp_path / "a.csv").write_text('request,date,class\nr2,2026-01-01,"salt, pepper"\n')
    assert read_requests(tmp_path) == (
        ListedRequest("r2", "2026-01-01", classes=("salt, pepper",)),
        ListedRequest("r1", "2026-01-01", classes=("'#3'",)),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no request; expected request,date,class or id"),
        ("request,date,class\n", "holds no request"),
        ("name,date,class\nr,2026-01-01,x\n", "line 1: expected the titles request,date,class or"),
        ("request,date,class,id\n", "line 1: expected the titles"),
        ("request;date;class\n", "line 1: expected the titles"),
        ("request,date,id\nr,2026-01-01\n", "line 2: expected 3 fields, got 2"),
        ("request,date,id\nr,2026-01-01,a\nr,2026-01-01,\n", "line 3: the field 'id' is empty"),
        ("request,date,id\n,2026-01-01,a\n", "line 2: the field 'request' is empty"),
        ("request,date,id\nr,01.02.2026,a\n", "line 2: expected a date as YYYY-MM-DD, got"),
        ("request,date,id\nr,20260102,a\n", "line 2: expected a date as YYYY-MM-DD, got"),
        ("request,date,id\nr,2026-01-01,a\n\nr,2026-01-02,b\n", "line 4: request 'r' is of 2026-01-02"),  # noqa: E501
        ("request,date,id\nr,2026-01-01,a\nq,2026-01-01,a\n", "line 3: id 'a' is named twice"),
        ('request,date,id\nr,2026-01-01,"a\n', "line 2: unexpected end of data"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(text, why, read):
    with pytest.raises(ValueError) as caught:
        read(text)
    assert why in str(caught.value) and str(caught.value).startswith("--requests ")
    assert "\n" not in str(caught.value)


def test_classes_and_ids_are_two_runs(tmp_path):
    (tmp_path / "a.csv").write_text("request,date,class\nr1,2026-01-01,three\n")
    (tmp_path / "b.csv").write_text("request,date,id\nr2,2026-01-01,train-1\n")
    with pytest.raises(ValueError, match=r"b\.csv, line 2: names ids where .*a\.csv, line 2 names"):
        read_requests(tmp_path)
