import pytest

from devices.search import rows
from devices.search.catalogue import FIELDS
from devices.search.language import parse
from devices.search.rows import NotRows, Row, Rows, from_tree, to_tree
from devices.search.tree import Operator, write

PHONE = Row("common.model", Operator.BEGINS, "iPhone")
OLD = Row("common.os_version", Operator.LESS, "18")
NOWHERE = Row("common.comment", Operator.IS_EMPTY)


@pytest.mark.parametrize(
    ("shown", "expression"),
    [
        (Rows("all"), ""),
        (Rows("all", (PHONE,)), '"common.model" "starts with" "iPhone"'),
        (Rows("all", (PHONE, OLD)), '"common.model" "starts with" "iPhone" AND "common.os_version" < "18"'),
        (Rows("any", (OLD, NOWHERE)), '"common.os_version" < "18" OR "common.comment" "is empty"'),
        (
            Rows("all", (PHONE, Rows("any", (OLD, NOWHERE)))),
            '"common.model" "starts with" "iPhone" AND ("common.os_version" < "18" OR "common.comment" "is empty")',
        ),
    ],
)
def test_rows_and_expression_say_the_same(shown: Rows, expression: str) -> None:
    assert write(to_tree(shown)) == expression
    assert from_tree(parse(expression, FIELDS)) == shown


def test_groups_without_rows_say_nothing() -> None:
    assert to_tree(Rows("any", (Rows("all"), PHONE))) == to_tree(Rows("all", (PHONE,)))
    assert write(to_tree(Rows("any"))) == ""


def test_a_value_left_behind_by_another_operator_is_dropped() -> None:
    left = Row("common.comment", Operator.IS_EMPTY, "old")

    assert to_tree(Rows("all", (left,))) == to_tree(Rows("all", (NOWHERE,)))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("NOT retired = true", rows.NEGATION),
        ("retired = false AND samsung", rows.LONE_WORD),
        ("retired = false AND (model = a OR (imei = 1 AND imsi = 2))", rows.NESTED),
    ],
)
def test_what_rows_cannot_show_has_a_reason(expression: str, reason: str) -> None:
    with pytest.raises(NotRows) as caught:
        from_tree(parse(expression, FIELDS))

    assert str(caught.value) == reason
