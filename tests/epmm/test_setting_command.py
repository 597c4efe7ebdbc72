import io
import json

import pytest
from django.core.management import CommandError, call_command

from epmm.models import AuditEntry
from epmm.settings_store import REGISTRY


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("setting", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_setting_lists_all_with_what_they_accept() -> None:
    listed = run()

    assert [line.split(" = ")[0] for line in listed.splitlines()[::2]] == sorted(REGISTRY)
    assert "registration.pin_length = 6\n    Registration PIN Code Length. (6..12)\n" in listed


@pytest.mark.django_db
def test_setting_shows_one() -> None:
    assert run("registration.pin_length") == "6\n"


@pytest.mark.django_db
def test_setting_changes_one_and_is_audited() -> None:
    assert run("registration.pin_length", "8") == "8\n"

    assert run("registration.pin_length") == "8\n"
    assert AuditEntry.objects.get().actor == "manage.py"


@pytest.mark.django_db
def test_setting_as_json() -> None:
    assert json.loads(run("--json")).keys() == REGISTRY.keys()
    assert json.loads(run("registration.device_limit", "--json")) == {"registration.device_limit": "none"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no.such"], "There is no setting no.such. `manage.py setting` lists them all."),
        (["no.such", "on"], "There is no setting no.such. `manage.py setting` lists them all."),
        (["registration.pin_length", "5"], "registration.pin_length accepts 6..12"),
        (["registration.pin_length", "9" * 5000], "registration.pin_length accepts 6..12"),
    ],
)
def test_setting_says_why_not(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as error:
        run(*arguments)

    assert str(error.value) == sentence
    assert not AuditEntry.objects.exists()
