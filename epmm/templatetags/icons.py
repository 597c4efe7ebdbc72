"""The icons of Lucide, each written once: what all of them have in common says the style sheet (`.lucide`)."""

import re
from functools import cache
from typing import Final

from django import template
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide as written

register = template.Library()
COMMON: Final = (
    ' fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'  # as each says
)
BETWEEN: Final = re.compile(r"\s*\n\s*")


@cache
def _icon(name: str, size: int, told: tuple[tuple[str, str], ...]) -> SafeString:
    svg = BETWEEN.sub("", written(name, size=size, **dict(told)))
    return mark_safe(svg.replace(COMMON, ' class="lucide"', 1))  # noqa: S308 - a file of the library


@register.simple_tag
def lucide(name: str, *, size: int = 24, **told: str) -> SafeString:
    return _icon(str(name), size, tuple(sorted(told.items())))
