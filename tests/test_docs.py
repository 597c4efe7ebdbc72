"""The manual says what there is: settings, commands, variables, codes."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from enrollment.reasons import BY_CODE
from epmm import settings_store

ROOT = Path(__file__).resolve().parent.parent
OURS = ("epmm", "users", "devices", "enrollment")


def text(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", sorted(settings_store.REGISTRY))
def test_every_setting_is_in_the_manual(name: str) -> None:
    assert f"| `{name}` |" in text("docs/operations.md")


def test_every_command_is_in_the_manual() -> None:
    manual = text("docs/operations.md")
    ours = [name for name, app in get_commands().items() if app in OURS]

    assert [name for name in ours if f"`{name}" not in manual] == []


def test_every_variable_is_in_the_manual() -> None:
    code = text("epmm/settings.py") + text("epmm/bootstrap.py")

    named = {name.removesuffix("_FILE") for name in re.findall(r"EPMM_[A-Z_]+", code)}
    assert named <= set(re.findall(r"EPMM_[A-Z_]+", text("docs/operations.md")))


def test_every_code_is_in_the_manual_in_the_products_words() -> None:
    manual = text("docs/enrollment.md")

    assert [code for code, reason in BY_CODE.items() if f"| {code} | {reason.operator} |" not in manual] == []


def test_each_decision_has_a_number_of_its_own() -> None:
    titles = {path.name[:4]: path.read_text().splitlines()[0] for path in (ROOT / "docs/decisions").glob("*.md")}

    assert len(titles) == len(list((ROOT / "docs/decisions").glob("*.md")))
    assert [title for number, title in titles.items() if not title.startswith(f"# {int(number)}. ")] == []


@pytest.mark.parametrize("page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text(page)) if not target.startswith("https:")]

    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []


def test_every_picture_is_there_and_shown() -> None:
    pages = ["README.md", *(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md"))]
    shown = {name for page in pages for name in re.findall(r"pictures/([\w-]+\.\w+)", text(page))}

    assert shown == {path.name for path in (ROOT / "docs/pictures").iterdir()}


def test_the_guide_shows_what_its_script_takes() -> None:
    taken = re.findall(r'take\("([\w-]+)"[,)]', text("docs/screenshots/walk.py"))
    shown = re.findall(r"pictures/([\w-]+)\.webp", text("docs/admin-guide.md"))

    assert sorted(taken) == sorted(shown)
