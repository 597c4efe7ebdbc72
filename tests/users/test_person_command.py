import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from epmm.models import AuditEntry
from tests import factories
from users.models import User

pytestmark = pytest.mark.django_db


def test_an_account_is_disabled_and_enabled_again(capsys: pytest.CaptureFixture[str]) -> None:
    factories.user("anna")

    call_command("person", "disable", "anna")
    assert not User.objects.get(user_id="anna").is_active
    call_command("person", "enable", "anna")
    assert User.objects.get(user_id="anna").is_active

    assert capsys.readouterr().out.splitlines() == ["anna can no longer sign in.", "anna can sign in."]
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "subject")) == [
        ("user.disabled", "anna"),
        ("user.enabled", "anna"),
    ]


def test_an_unknown_person_is_an_error() -> None:
    with pytest.raises(CommandError, match="There is no user"):
        call_command("person", "disable", "nobody")
