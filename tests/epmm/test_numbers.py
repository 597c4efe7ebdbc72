"""One way to show a number, in lists, dialogs and sentences, and every way to type it."""

import re
from pathlib import Path

import pytest
from django.utils import translation

from epmm.numbers import grouped, is_typed
from epmm.templatetags.portal import cell
from users.forms import TypedForm

TEMPLATES = Path(__file__).resolve().parents[2] / "templates/portal"
COUNTS = re.compile(r"\b(?:n|number|more|total|done|seconds|failing|going|failed|most)=([\w.|]+)")


@pytest.mark.parametrize(("language", "shown"), [("en", "1,202"), ("de", "1.202")])
def test_a_number_is_shown_as_people_of_the_language_write_it(language: str, shown: str) -> None:
    with translation.override(language):
        assert (grouped(1202), cell(1202), cell(True)) == (shown, shown, {"en": "true", "de": "wahr"}[language])


@pytest.mark.parametrize("typed", ["1202", "1,202", "1.202", " 1 202 ", "1'202", "1\N{NARROW NO-BREAK SPACE}202"])
def test_it_is_typed_in_any_way(typed: str) -> None:
    assert is_typed(typed, 1202)
    assert TypedForm({"typed": typed}, label="", wanted=1202).is_valid()


@pytest.mark.parametrize("typed", ["1203", "", "-1202", "1202x"])
def test_another_number_is_another(typed: str) -> None:
    assert not TypedForm({"typed": typed}, label="", wanted=1202).is_valid()


def test_sentences_of_templates_show_their_numbers_so() -> None:
    sentences = [
        (path.name, expression)
        for path in TEMPLATES.rglob("*.html")
        for tag in re.findall(r"{% blocktranslate .*?%}", path.read_text())
        for expression in COUNTS.findall(re.sub(r"count \w+=\S+", "", tag))
    ]

    assert len(sentences) > 20
    assert [each for each in sentences if not each[1].endswith("|cell")] == []
