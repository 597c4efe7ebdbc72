"""The manual says what there is: settings, commands, variables, codes."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from enrollment.reasons import BY_CODE
from epmm import settings_store

ROOT = Path(__file__).resolve().parent.parent
OURS = ("epmm", "users", "devices", "enrollment")


# Whatever the secret key is in, and how the manual calls what becomes of it with another one; what nobody notices has
# no words: commands that are queued from then on share no payload with those before, an attempt in a browser has two
# traces, and a page that shows sessions is older than they are.
KEYED = {
    "devices/models/configuration.py": "uploaded again as it is",
    "devices/models/payload.py": "",
    "devices/services/declared_profiles.py": "declared profiles move",
    "enrollment/services/discovery.py": "a name that nobody has",
    "enrollment/services/own_address.py": "the person's own address",
    "enrollment/services/sign_in.py": "sign-ins that are under way, those of enrollments too",
    "enrollment/services/trace.py": "",
    "enrollment/services/web_registration.py": "sign-ins that are under way",
    "epmm/caller.py": "Known browsers are strangers",
    "users/services/limits.py": "failed sign-ins are counted anew",
    "users/services/lock_out.py": "ends all lock-outs",
    "users/services/oidc/flow.py": "sign-ins that are under way",
    "users/services/portal_sessions.py": "",
    "users/services/second_factor.py": "all backup codes of second factors stop working",
    "users/sessions.py": "everybody signs in again",  # Django signs what a session holds
}


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


def test_the_manual_says_what_another_secret_key_does() -> None:
    section = text("docs/operations.md").partition("### A new secret key\n")[2].partition("\n## ")[0]
    use = re.compile(r"salted_hmac\(|signing\.(dumps|loads)\(|settings\.SECRET_KEY|\(DatabaseStore\)")
    paths = [path for app in OURS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]
    keyed = {str(path.relative_to(ROOT)) for path in paths if use.search(path.read_text())}

    assert keyed == KEYED.keys()
    assert [words for words in KEYED.values() if words not in section] == []


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
