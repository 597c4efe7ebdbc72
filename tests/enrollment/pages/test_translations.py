"""Every sentence is there in German, and the compiled catalog is the one that is read at run time."""

import ast
import gettext
import re
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT: Final = Path(settings.BASE_DIR)
MESSAGES: Final = ROOT / "locale" / "de" / "LC_MESSAGES"
CODE: Final = ("epmm", "users", "devices", "enrollment")
KEYWORDS: Final = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "gettext_noop": None,
}
PLACEHOLDER: Final = re.compile(r"%\(\w+\)s|\{\w*\}")
HOW: Final = (
    "manage.py makemessages -l de --no-obsolete --no-wrap --add-location file --ignore .venv --ignore tests; "
    "translate; manage.py compilemessages -l de --ignore .venv"
)


@cache
def catalog() -> Catalog:
    with (MESSAGES / "django.po").open("rb") as source:
        return read_po(source, locale="de", abort_invalid=True)


def entries() -> list[Message]:
    return [message for message in catalog() if message.id]


def _said(message: Message) -> str:
    """The sentence itself; of one with two forms the first."""
    return str(message.id[0] if isinstance(message.id, list | tuple) else message.id)


def _forms(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, list | tuple) else [str(message.string)]


@cache
def _in_code() -> set[str]:
    return {
        message[0] if isinstance(message, tuple) else message
        for package in CODE
        for path in (ROOT / package).rglob("*.py")
        for _line, message, _comments, _context in extract_from_file("python", path, keywords=KEYWORDS)
    }


@cache
def _in_templates() -> set[str]:
    return {
        ast.literal_eval(literal)
        for path in (ROOT / "templates").rglob("*.html")
        for literal, _ in re.findall(r" n?gettext\((u?(['\"]).*?(?<!\\)\2)[,)] ", templatize(path.read_text()))
    }


def _compiled(source: Any) -> dict[Any, str]:
    """What gettext reads, apart from the header, whose order of lines is the compiler's own."""
    known: dict[Any, str] = dict(vars(gettext.GNUTranslations(source))["_catalog"])
    known.pop("")
    return known


@pytest.mark.parametrize("sentences", [_in_code, _in_templates])
def test_every_sentence_of_the_product_is_in_the_catalog(sentences: Callable[[], set[str]]) -> None:
    found = sentences()

    assert len(found) > 20
    assert sorted(found - {_said(message) for message in entries()}) == [], HOW


@pytest.mark.parametrize("package", CODE)
def test_nothing_is_said_where_nobody_looks_for_it(package: str) -> None:
    """Within an f-string it is found by nobody who gathers sentences."""
    hidden = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in (ROOT / package).rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text()))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KEYWORDS
    ]

    assert hidden == []


def test_the_catalog_holds_nothing_that_the_product_does_not_say() -> None:
    assert sorted({_said(message) for message in entries()} - _in_code() - _in_templates()) == [], HOW


def test_every_sentence_is_translated() -> None:
    assert [message.id for message in entries() if message.fuzzy or not all(_forms(message))] == []


def test_translations_keep_their_placeholders() -> None:
    changed = [
        message.id
        for message in entries()
        if sorted(PLACEHOLDER.findall(str(message.id))) != sorted(PLACEHOLDER.findall(str(message.string)))
    ]

    assert changed == []


def test_people_are_addressed_formally() -> None:
    familiar = re.compile(r"\b(du|dich|dir|dein\w*)\b", re.IGNORECASE)

    assert [message.string for message in entries() if familiar.search(str(message.string))] == []


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        (r"ausge?muster|au(ß|ss)er Betrieb|zurückgezogen", "stilllegen"),
        (r"konto(?!name)|accountbasiert|account-gesteuert", "Account, accountgesteuert"),  # Apple's own words
        (r"kennwo", "Passwort"),
        (r"(ge|\b)speicher(n|t|e)\b", "sichern"),
        (r"\bFirma\b", "Unternehmen"),
        (r"Batterie", "Akku"),
    ],
)
def test_one_thing_has_one_name(word: str, instead: str) -> None:
    other = re.compile(word, re.IGNORECASE)

    assert [message.string for message in entries() if other.search(str(message.string))] == [], instead


def test_the_compiled_catalog_is_that_of_the_source() -> None:
    expected = BytesIO()
    write_mo(expected, catalog())
    expected.seek(0)

    with (MESSAGES / "django.mo").open("rb") as compiled:
        assert _compiled(compiled) == _compiled(expected), HOW
