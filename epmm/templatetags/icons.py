"""The icons of Lucide, each read once; what all of them have in common says the style sheet (`.lucide`)."""

import re
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final
from zipfile import ZipFile

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
BETWEEN: Final = re.compile(r"\s*\n\s*")
FRAME: Final = re.compile(r"<svg[^>]*>(.*)</svg>")


@register.simple_tag
@cache
def lucide(name: str, *, size: int = 24) -> SafeString:
    """It says nothing that the words beside it do not."""
    drawn = FRAME.search(BETWEEN.sub(" ", _drawings().read(f"{name}.svg").decode()))
    inside = drawn[1].strip().replace("> <", "><") if drawn else ""
    box = f'width="{size}" height="{size}" viewBox="0 0 24 24" class="lucide" aria-hidden="true"'
    return mark_safe(f"<svg {box}>{inside}</svg>")  # noqa: S308 - a file of the library


@cache
def _drawings() -> ZipFile:
    """Kept open: to see what is in it takes 40 ms, and the library's own tag does so for each icon."""
    return ZipFile(BytesIO(files("lucide").joinpath("lucide.zip").read_bytes()))
