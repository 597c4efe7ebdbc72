"""Expressions as people and connectors write them, and where exactly a wrong one is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.search import errors
from devices.search.catalogue import FIELDS
from devices.search.compile import check
from devices.search.errors import SearchError
from devices.search.language import DEEPEST, LONGEST, MOST_TESTS, parse
from devices.search.tree import All, AnyOf, Node, Not, Operator, Test, Word, write

SERIAL = "common.SerialNumber"
ACTIVE = Test(field="common.status", operator=Operator.EQUALS, value="ACTIVE")
STANDING = Test(field="common.retired", operator=Operator.EQUALS, value="false")


def equals(field: str, value: str) -> Test:
    return Test(field=field, operator=Operator.EQUALS, value=value)


def refusal(text: str) -> SearchError:
    with pytest.raises(SearchError) as caught:
        check(parse(text, FIELDS), FIELDS)
    return caught.value


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        (
            (
                'common.status = "ACTIVE" AND (common.quarantined = true OR common.compliant = false '
                'OR common.security_state != "Ok")'
            ),
            All(
                (
                    ACTIVE,
                    AnyOf(
                        (
                            equals("common.quarantined", "true"),
                            equals("common.compliant", "false"),
                            Test(field="common.security_state", operator=Operator.DIFFERS, value="Ok"),
                        )
                    ),
                )
            ),
        ),
        ('"common.status"="ACTIVE" AND "common.compliant" = false', All((ACTIVE, equals("common.compliant", "false")))),
        (
            (
                '("common.SerialNumber" =  "AAAA1111BBBB"  OR"common.SerialNumber" =  "CCCC2222DDDD") '
                'AND "common.retired" = false'
            ),
            All((AnyOf((equals(SERIAL, "AAAA1111BBBB"), equals(SERIAL, "CCCC2222DDDD"))), STANDING)),
        ),
        (
            'common.ip_address "contains" 10.0.0.7',
            Test(field="common.ip_address", operator=Operator.CONTAINS, value="10.0.0.7"),
        ),
        (
            'common.uuid="9b0da853-0000-0000-0000-f4b5457299cf"',
            equals("common.uuid", "9b0da853-0000-0000-0000-f4b5457299cf"),
        ),
        ('"common.compliant"="True"', equals("common.compliant", "True")),
        ('"SerialNumber"="AAAA1111BBBB"', equals(SERIAL, "AAAA1111BBBB")),
        ("retired=false", STANDING),
        ("samsung", Word("samsung")),
    ],
)
def test_what_clients_are_known_to_send(text: str, tree: Node) -> None:
    assert parse(text, FIELDS) == tree
    check(tree, FIELDS)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", All()),
        (" \n\t", All()),
        ("ios.iPhone UDID = x", equals("ios.iPhone UDID", "x")),
        ("ios.iphone  mac_address_en0 = x", equals("ios.iPhone MAC_ADDRESS_EN0", "x")),
        ('"ios.iPhone UDID"=x', equals("ios.iPhone UDID", "x")),
        ("COMMON.CLIENTID = x", equals("common.client_id", "x")),
        ("serialnumber=x", equals(SERIAL, "x")),
        (r'imei = "a\"b\\c"', equals("common.imei", 'a"b\\c')),
        ('imei = ""', equals("common.imei", "")),
        ("imei = 9(2", equals("common.imei", "9(2")),
        ("imei is  EMPTY", Test(field="common.imei", operator=Operator.IS_EMPTY)),
        ('imei "Is Not Empty"', Test(field="common.imei", operator=Operator.IS_NOT_EMPTY)),
        ("imei does not  contain 1", Test(field="common.imei", operator=Operator.LACKS, value="1")),
        ("imei Starts With 1", Test(field="common.imei", operator=Operator.BEGINS, value="1")),
        ("a and b or not c", AnyOf((All((Word("a"), Word("b"))), Not(Word("c"))))),
        ("a OR(b)AND(c)", AnyOf((Word("a"), All((Word("b"), Word("c")))))),
        ('NOT"a"', Not(Word("a"))),
        ("android order notes", None),
        ("anna@corp.example", Word("anna@corp.example")),
        ('"Ben Öztürk"', Word("Ben Öztürk")),
        ("NOT NOT (a)", Not(Not(Word("a")))),
    ],
)
def test_spellings(text: str, tree: Node | None) -> None:
    if tree is None:
        assert refusal(text).message == errors.NO_OPERATOR
    else:
        assert parse(text, FIELDS) == tree


@pytest.mark.parametrize("operator", Operator)
@pytest.mark.parametrize("spelling", ['"{}"', "{}"])
def test_every_operator_with_and_without_quotes(operator: Operator, spelling: str) -> None:
    written = spelling.format(operator) if operator[0].isalpha() else str(operator)
    value = " 1" if operator.takes_value else ""

    assert parse(f"imei {written}{value}", FIELDS) == Test(field="common.imei", operator=operator, value=value.strip())


@pytest.mark.parametrize(
    ("text", "at", "sentence"),
    [
        (
            'a AND common.serialnumbr = "x"',
            7,
            'Unknown field "common.serialnumbr". Did you mean "common.SerialNumber"?',
        ),
        ("suprvised = true", 1, 'Unknown field "suprvised". Did you mean "ios.Supervised"?'),
        ("zzzzzzzz = 1", 1, 'Unknown field "zzzzzzzz".'),
        ("common.location = x", 1, 'Unknown field "common.location". Did you mean "common.locale"?'),
        ("common.model =", 15, "Expected a value after = at character 15."),
        ("common.model == x", 15, "Expected a value after = at character 15."),
        ('common.model "contains" AND a', 25, 'Expected a value after "contains" at character 25.'),
        ("common.model = )", 16, "Expected a value after = at character 16."),
        ("common.model", 13, "Expected an operator after common.model at character 13."),
        ("common.model x", 14, "Expected an operator after common.model at character 14."),
        ("samsung galaxy", 9, "Expected an operator after samsung at character 9."),
        ("a AND", 6, "Expected a field or a word at character 6."),
        ("AND a", 1, "Expected a field or a word at character 1."),
        ("a OR OR b", 6, "Expected a field or a word at character 6."),
        ("()", 2, "Expected a field or a word at character 2."),
        ('""', 1, "Expected a field or a word at character 1."),
        ("imei = 1 imei = 2", 10, "Expected AND or OR at character 10."),
        ("(a) b", 5, "Expected AND or OR at character 5."),
        ("(imei = 1 imei = 2)", 11, "Expected AND or OR at character 11."),
        ("(a AND (b)", 11, "Expected a closing parenthesis at character 11."),
        ("a)", 2, "No parenthesis is open at character 2."),
        ('imei = "abc', 8, "The quotation mark at character 8 is not closed."),
        (r'imei = "a\n"', 10, 'After a backslash at character 10 only " and another backslash may stand.'),
        ("imei = \0", 8, "The character at 8 cannot be searched for."),
        ("imei = \ud800", 8, "The character at 8 cannot be searched for."),
        ("ios.Supervised = maybe", 18, "ios.Supervised is true or false; what stands at character 18 is neither."),
        ("common.id = seven", 13, "common.id is compared with a number; what stands at character 13 is none."),
        ("common.id = 1.5", 13, "common.id is compared with a whole number; what stands at character 13 is none."),
        (
            "common.id = 99999999999999999",
            13,
            "common.id is compared with a number; what stands at character 13 is none.",
        ),
        (
            "common.os_version > beta",
            21,
            "common.os_version is compared with a version as 17.4.1; what stands at character 21 is none.",
        ),
        (
            "common.last_connected_at > 31.1.2026",
            28,
            (
                "common.last_connected_at is compared with a date as 2026-01-31, 2026-01-31T08:00Z, today or now-7d; "
                "see character 28."
            ),
        ),
        (
            'common.status = "ACTIV"',
            17,
            'common.status is never "ACTIV"; see character 17. Did you mean "ACTIVE"?',
        ),
        (
            "common.owner = 7",
            16,
            'common.owner is never "7"; see character 16. Its values are COMPANY, EMPLOYEE.',
        ),
        (
            "a OR ios.Supervised > true",
            21,
            '> at character 21 does not fit ios.Supervised, which takes =, !=, "is empty", "is not empty".',
        ),
        (
            'common.model >= "x"',
            14,
            (
                '>= at character 14 does not fit common.model, which takes =, !=, "contains", "does not contain", '
                '"starts with", "is empty", "is not empty".'
            ),
        ),
    ],
)
def test_an_error_says_what_and_where(text: str, at: int, sentence: str) -> None:
    error = refusal(text)

    assert (str(error), error.at) == (sentence, at)


def test_expressions_have_a_size() -> None:
    assert refusal("x" * (LONGEST + 1)).message == errors.TOO_LONG
    parse("x" * LONGEST, FIELDS)


@pytest.mark.parametrize("opening", ["(", "NOT "])
def test_and_a_depth(opening: str) -> None:
    closing = ")" if opening == "(" else ""
    parse(opening * DEEPEST + "a" + closing * DEEPEST, FIELDS)

    error = refusal(opening * 4000 + "a" + closing * 4000)

    assert (error.message, error.at) == (errors.TOO_DEEP, DEEPEST * len(opening) + 1)


def test_and_a_number_of_conditions() -> None:
    parse(" AND ".join(["a"] * MOST_TESTS), FIELDS)

    error = refusal(" AND ".join(["a"] * (MOST_TESTS + 1)))

    assert (error.message, error.at) == (errors.TOO_MANY, len("a AND ") * MOST_TESTS + 1)


def test_a_platform_of_another_product_is_no_mistake() -> None:
    check(parse("common.platform = Symbian", FIELDS), FIELDS)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            (
                "common.status",
                "imei",
                '"',
                "\\",
                "(",
                ")",
                "=",
                "!=",
                ">",
                "AND",
                "or",
                "NOT",
                "contains",
                " ",
                "is empty",
                "does not",
                "x",
                "7",
                "now-7d",
                "ios.iPhone UDID",
                "\n",
                "ß",
                "'",
                "%",
                ";--",
                "\x00",
            )
        )
    ).map("".join)
    | st.text()
)
def test_whatever_is_typed_is_a_tree_or_an_error_with_a_place(text: str) -> None:
    try:
        tree = parse(text, FIELDS)
    except SearchError as refused:
        error = refused
    else:
        assert parse(write(tree), FIELDS) == tree
        return
    assert 1 <= error.at <= len(text) + 1
    assert str(error)
