"""Texts of administrators with basic formatting: a small part of Markdown, and from it nothing but a few known tags.

    # Heading   ## Smaller heading   - list   1. list   **bold**   *italic*   [text](https://example.com)

All else is text, HTML too.  `docs/decisions` says why there is no HTML to be cleaned.
"""

import re
from collections.abc import Collection
from itertools import groupby
from typing import Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

SCHEMES: Final = ("https://", "mailto:")
TAGS: Final = frozenset({"p", "br", "h2", "h3", "ul", "ol", "li", "strong", "em", "a"})
_BLANK: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_HEADING: Final = re.compile(r"(#{1,2})[ \t]+(.+)")
_ITEM: Final = re.compile(r"(?:([-*])|\d{1,3}\.)[ \t]+(.+)")
_LINK: Final = re.compile(r"\[([^\[\]\n]{1,200})\]\(([^()\s]{1,500})\)")
_STRONG: Final = re.compile(r"\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*")
_EMPHASIS: Final = re.compile(r"\*(?=\S)([^*\n]+?)(?<=\S)\*")
# Nobody needs them for text; the last two turn around what stands after them.
_REMOVED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e\ud800-\udfff]")


class MarkupRefused(Exception):
    """The argument is a sentence for whoever wrote the text."""


def clean(text: str, also: Collection[str] = ()) -> str:
    """As it is stored.  Raises MarkupRefused for a link that leads where none may; `also` are targets that may."""
    text = _REMOVED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    for _label, target in _LINK.findall(text):
        if not _is_allowed(target, also):
            raise MarkupRefused(_("A link begins with https:// or mailto:, not like {target}.").format(target=target))
    return text


def html(text: str, also: Collection[str] = ()) -> SafeString:
    blocks = (_block(block.split("\n"), also) for block in _BLANK.split(text.strip()) if block.strip())
    return mark_safe("\n".join(blocks))  # noqa: S308 - escaped, and then given tags of our own


def plain(text: str, also: Collection[str] = ()) -> str:
    """For a reader without HTML: the links written out, the asterisks gone."""
    spelt = _LINK.sub(lambda link: f"{link[1]} ({link[2]})" if _is_allowed(link[2], also) else link[0], text)
    lines = [_HEADING.sub(r"\2", line) for line in spelt.split("\n")]
    return _EMPHASIS.sub(r"\1", _STRONG.sub(r"\1", "\n".join(lines)))


def _block(lines: list[str], also: Collection[str]) -> str:
    """Lines that stand together: of headings, of lists and of text, each in its own element."""
    parts = []
    for kind, group in groupby(lines, _kind):
        own = [line.strip() for line in group]
        match kind:
            case "h":
                parts += [_heading(line, also) for line in own]
            case "ul" | "ol":
                items = "".join(f"<li>{_inline(_ITEM.fullmatch(line)[2], also)}</li>" for line in own)  # type: ignore[index] # by its kind
                parts.append(f"<{kind}>{items}</{kind}>")
            case _:
                parts.append(f"<p>{'<br>'.join(_inline(line, also) for line in own)}</p>")
    return "\n".join(parts)


def _kind(line: str) -> str:
    if _HEADING.fullmatch(line.strip()):
        return "h"
    item = _ITEM.fullmatch(line.strip())
    return "p" if item is None else "ul" if item[1] else "ol"


def _heading(line: str, also: Collection[str]) -> str:
    marks, text = _HEADING.fullmatch(line).groups()  # type: ignore[union-attr] # by its kind
    tag = f"h{len(marks) + 1}"
    return f"<{tag}>{_inline(text, also)}</{tag}>"


def _inline(text: str, also: Collection[str]) -> str:
    """Links first, so that an asterisk in an address stays one."""
    parts, end = [], 0
    for link in _LINK.finditer(text):
        if _is_allowed(link[2], also):
            parts += [_styled(text[end : link.start()])]
            parts += [f'<a href="{escape(link[2])}" rel="noreferrer">{_styled(link[1])}</a>']
            end = link.end()
    return "".join([*parts, _styled(text[end:])])


def _styled(text: str) -> str:
    return _EMPHASIS.sub(r"<em>\1</em>", _STRONG.sub(r"<strong>\1</strong>", escape(text)))


def _is_allowed(target: str, also: Collection[str]) -> bool:
    return target.lower().startswith(SCHEMES) or target in also
