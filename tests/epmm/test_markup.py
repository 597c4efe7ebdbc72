"""What becomes of an administrator's text: some known tags, and never what it says."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epmm import markup
from epmm.markup import MarkupRefused

WRITTEN = st.text(alphabet="ab<>&\"'*#-1. \n\t[]()/:\\`!=\u202ehttpsmailojv", max_size=200)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One.\n\nTwo,\nthree.", "<p>One.</p>\n<p>Two,<br>three.</p>"),
        ("# Title\nText", "<h2>Title</h2>\n<p>Text</p>"),
        ("## Smaller", "<h3>Smaller</h3>"),
        (
            "- one\n- two\n1. first\n2. second",
            "<ul><li>one</li><li>two</li></ul>\n<ol><li>first</li><li>second</li></ol>",
        ),
        ("**bold** and *italic*", "<p><strong>bold</strong> and <em>italic</em></p>"),
        ("a * b * c ** d", "<p>a * b * c ** d</p>"),
        ("[us](https://e.test/?a&b)", '<p><a href="https://e.test/?a&amp;b" rel="noreferrer">us</a></p>'),
        ("[mail](mailto:it@example.com)", '<p><a href="mailto:it@example.com" rel="noreferrer">mail</a></p>'),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>"),
        ('[x](https://e/"onclick=1)', '<p><a href="https://e/&quot;onclick=1" rel="noreferrer">x</a></p>'),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("", ""),
    ],
)
def test_formatting(text: str, html: str) -> None:
    assert markup.html(text) == html


@settings(deadline=None)
@given(WRITTEN)
def test_no_text_makes_another_tag_or_attribute(text: str) -> None:
    class Found(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag in markup.TAGS
            assert {name for name, _value in attrs} == ({"href", "rel"} if tag == "a" else set())
            assert tag != "a" or str(dict(attrs)["href"]).lower().startswith(markup.SCHEMES)

    Found().feed(markup.html(text))


@settings(deadline=None)
@given(WRITTEN)
def test_what_is_stored_is_stored_again_alike(text: str) -> None:
    try:
        once = markup.clean(text)
    except MarkupRefused:
        return
    assert markup.clean(once) == once


@pytest.mark.parametrize(
    "target", ["javascript:alert", "http://example.com", "//example.com", "data:text/html,x", "ftp:x"]
)
def test_a_link_elsewhere_is_refused_on_the_way_in(target: str) -> None:
    with pytest.raises(MarkupRefused, match="A link begins with https://"):
        markup.clean(f"See [this]({target}).")


def test_control_characters_do_not_come_in() -> None:
    assert markup.clean("a\0b\r\nc\u202ed\te") == "ab\ncd\te"


def test_without_html_links_are_written_out() -> None:
    text = "# Hello\n**Now**: [here](https://example.com) *please*\n- one"

    assert markup.plain(text) == "Hello\nNow: here (https://example.com) please\n- one"
