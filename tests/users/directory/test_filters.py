import pytest

from users.services.directory import filters


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("anna", "(uid=anna)"),
        ("*", r"(uid=\2a)"),
        ("a)(uid=*", r"(uid=a\29\28uid=\2a)"),
        ("a\\2a", r"(uid=a\5c2a)"),
        ("a\0b", r"(uid=a\00b)"),
        ("Müller", "(uid=Müller)"),
        (b"\x01*\xff", r"(uid=\01\2a\ff)"),
    ],
)
def test_what_is_typed_stays_a_value(typed: str | bytes, written: str) -> None:
    assert filters.equals("uid", typed) == written


def test_parts_are_joined() -> None:
    assert filters.all_of("", "(a=1)") == "(a=1)"
    assert filters.all_of("(a=1)", "(b=2)") == "(&(a=1)(b=2))"
    assert filters.any_of("(a=1)") == "(a=1)"
    assert filters.any_of("(a=1)", "(b=2)") == "(|(a=1)(b=2))"
    assert filters.holds("cn", "") == "(cn=*)"
    assert filters.holds("cn", "a*") == r"(cn=*a\2a*)"
    assert filters.begins("cn", "a*") == r"(cn=a\2a*)"


@pytest.mark.parametrize("text", ["(uid=*)", "(&(a=1)(|(b=2)(c=3)))", r"(cn=a\28b)"])
def test_a_filter_is_one_pair_of_parentheses(text: str) -> None:
    assert filters.is_filter(text)


@pytest.mark.parametrize(
    "text", ["", "uid=*", "(uid=*", "uid=*)", "(a=1)(b=2)", "(a=1))(b=2)((c=3)", "(a=1)\n", "(" * 60 + ")" * 60]
)
def test_what_would_leave_its_place_is_no_filter(text: str) -> None:
    assert not filters.is_filter(text)
