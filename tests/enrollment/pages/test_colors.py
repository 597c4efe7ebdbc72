"""The style sheet: small, still, and readable in both schemes (WCAG 2.2, success criteria 1.4.3 and 1.4.11)."""

import re
from pathlib import Path
from typing import Final

import pytest
from django.contrib.staticfiles import finders

TEXT: Final = 4.5
BORDER: Final = 3.0
PAIRS: Final = [
    ("text", "sheet", TEXT),
    ("text", "page", TEXT),
    ("text", "fill", TEXT),
    ("quiet", "sheet", TEXT),
    ("quiet", "page", TEXT),
    ("quiet", "fill", TEXT),
    ("tint", "sheet", TEXT),
    ("tint", "page", TEXT),
    ("on-button", "button", TEXT),
    ("alarm", "alarm-fill", TEXT),
    ("edge", "sheet", BORDER),
    ("tint", "fill", BORDER),
    ("button", "sheet", BORDER),
]


def style_sheet() -> str:
    found = finders.find("css/enroll.css")
    assert found
    return Path(found).read_text()


def tokens(scheme: str) -> dict[str, str]:
    """The custom properties of `:root`; the dark scheme overrides those of the light one."""
    light, dark = style_sheet().split("@media (prefers-color-scheme: dark)", 1)
    dark = dark.split("@media", 1)[0]
    source = light if scheme == "light" else light + dark
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", source))


def luminance(color: str) -> float:
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_colors_can_be_told_apart(scheme: str, front: str, back: str, least: float) -> None:
    color = tokens(scheme)

    assert contrast(color[front], color[back]) >= least


def test_the_dark_scheme_has_a_color_of_its_own_for_everything_that_carries_text() -> None:
    light, dark = tokens("light"), tokens("dark")

    assert [name for name in light if light[name] == dark[name]] == ["on-button"]


def test_the_style_sheet_is_small() -> None:
    assert len(style_sheet().encode()) < 8192


def test_nothing_moves() -> None:
    assert not re.search(r"\b(transition|animation|scroll-behavior)\b", style_sheet())


def test_left_and_right_are_left_to_the_language() -> None:
    sided = r"(?m)^\s*((?:margin|padding|border|inset)-(?:left|right)|left|right|float)\s*:"

    assert re.findall(sided, style_sheet()) == []
