"""The portal's tokens: readable in both schemes (WCAG 2.2, success criteria 1.4.3 and 1.4.11)."""

import re
from pathlib import Path
from typing import Final

import pytest
from django.contrib.staticfiles import finders

from tests.enrollment.pages.test_colors import BORDER, TEXT, contrast

PAIRS: Final = [
    *((front, back, TEXT) for front in ("text", "quiet") for back in ("page", "sheet", "fill", "hover")),
    *((front, back, TEXT) for front in ("text", "tint") for back in ("page", "sheet", "tint-fill")),
    *((tone, back, TEXT) for tone in ("good", "bad", "wait") for back in ("sheet", f"{tone}-fill")),
    ("quiet", "tint-fill", TEXT),
    ("on-button", "button", TEXT),
    ("on-danger", "danger", TEXT),
    *(("edge", back, BORDER) for back in ("page", "sheet", "fill")),
    ("button", "sheet", BORDER),
    ("tint", "sheet", BORDER),
]


def tokens(scheme: str) -> dict[str, str]:
    found = finders.find("css/portal.css")
    assert found
    root = re.search(r":root \{([^}]*)\}", Path(found).read_text())
    assert root
    colors = re.findall(r"--([a-z-]+): (?:light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)|(#[0-9a-f]{6}));", root[1])
    return {name: both or (dark if scheme == "dark" else light) for name, light, dark, both in colors}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_colors_can_be_told_apart(scheme: str, front: str, back: str, least: float) -> None:
    color = tokens(scheme)

    assert contrast(color[front], color[back]) >= least


def test_dark_has_a_color_of_its_own_for_everything_that_carries_text() -> None:
    light, dark = tokens("light"), tokens("dark")

    assert [name for name in light if light[name] == dark[name]] == ["on-button", "on-danger"]


def test_each_rule_of_the_style_sheet_ends_where_it_should() -> None:
    found = finders.find("css/portal.css")
    assert found
    depth, inside = 0, []
    for line in Path(found).read_text().splitlines():
        if depth and line.endswith("{") and not line.startswith(" "):
            inside.append(line)
        depth += line.count("{") - line.count("}")

    assert (depth, inside) == (0, [])
