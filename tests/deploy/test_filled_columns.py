"""What the release before has stored comes into the columns that are new."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.state import ProjectState

from devices.models import DeclarationSet, Device, Enrollment, StatusReport
from enrollment.models import Acceptance, Attempt, PolicyText
from tests.devices.services.rows import enrolled, person

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(app: str, name: str) -> None:
    state = ProjectState.from_apps(apps)
    [operation] = import_module(f"{app}.migrations.{name}").Migration.operations
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards(app, editor, state, state)


def test_when_the_terms_were_accepted_to_enroll_a_device() -> None:
    enrollment = enrolled()
    user = enrollment.user
    terms, privacy = (
        PolicyText.objects.create(kind=kind, version=1, language="en", text_sha256=kind)
        for kind in ("terms", "privacy")
    )
    attempt = Attempt.objects.create(reference="1", enrollment=enrollment)
    accepted = Acceptance.objects.create(user=user, policy=terms, attempt=attempt)
    Acceptance.objects.create(user=user, policy=privacy, attempt=attempt)
    Acceptance.objects.create(user=user, policy=terms, attempt=None)

    migrate("enrollment", "0008_terms_of_devices")

    assert Device.objects.get().terms_accepted_at == accepted.accepted_at


def test_the_country_that_was_announced() -> None:
    Device.objects.create(user=person(), details={"Registration": {"Country": "AT"}})
    Device.objects.create(user=person(), details={"Registration": {}})

    migrate("devices", "0033_announced_countries")

    assert list(Device.objects.order_by("pk").values_list("home_country", flat=True)) == ["AT", ""]


def test_columns_that_came_into_a_migration_later_come_to_who_had_applied_it() -> None:
    with connection.schema_editor() as editor:
        editor.remove_field(StatusReport, StatusReport.came_at.field)
        editor.remove_field(DeclarationSet, DeclarationSet.items_served_at.field)

    migrate("devices", "0048_late_columns")
    migrate("devices", "0048_late_columns")  # where they are, nothing happens

    assert not StatusReport.objects.values_list("came_at")
    assert not DeclarationSet.objects.values_list("items_served_at")


def test_what_opens_somebodys_own_device_is_cleared() -> None:
    tokens = {"unlock_token": b"unlocks", "bootstrap_token": b"boots"}
    own, managed = enrolled(kind=Enrollment.Kind.AAUE), enrolled()
    Enrollment.objects.update(**tokens)

    migrate("devices", "0049_secrets_of_own_devices")

    own.refresh_from_db()
    managed.refresh_from_db()
    assert (own.unlock_token, own.bootstrap_token) == (None, None)
    assert (managed.unlock_token, managed.bootstrap_token) == (b"unlocks", b"boots")
