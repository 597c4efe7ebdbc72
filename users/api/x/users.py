"""People: found, added, corrected, let in and out, deleted."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers

from epmm.api.fields import Cursor, Flag, Given, Text, Told
from epmm.portal.keyset import Order
from users.api.x.base import Deleted, Done, Listed, Patched, found
from users.models import User
from users.services import people, upkeep
from users.services.idempotency import Answer
from users.services.people import NewPerson
from users.services.people_lists import counted, device_count, find
from users.services.upkeep import Facts

ORDERS: Final = {
    "user_id": Order("user_id"),
    "email": Order("email"),
    "managed_apple_account": Order("managed_apple_account"),
}
NAMES: Final = ("first_name", "last_name", "display_name", "email")
EXAMPLE: Final[dict[str, Any]] = {
    "uuid": "6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01",
    "id": 9001,
    "user_id": "mia",
    "first_name": "Mia",
    "last_name": "Ito",
    "display_name": "Mia Ito",
    "email": "mia@example.com",
    "managed_apple_account": "mia@example.com",
    "source": "local",
    "enabled": True,
    "administrator": False,
    "device_count": 2,
    "created_at": "2025-01-01T12:00:00Z",
}


def sorts(orders: dict[str, Order]) -> list[str]:
    return [name for each in orders for name in (each, f"-{each}")]


class Person(Told):
    example = EXAMPLE
    uuid = serializers.UUIDField(help_text="By which the addresses name them.")
    id = serializers.IntegerField(source="pk", help_text="As EPMM's V2 calls have it.")
    user_id = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    display_name = serializers.CharField(help_text="Their own, else first and last name, else the user ID.")
    email = serializers.CharField(help_text="May be empty.")
    managed_apple_account = serializers.CharField(allow_null=True)
    source = serializers.ChoiceField(User.Source.choices)  # type: ignore[assignment] # the framework has the name, too
    enabled = serializers.BooleanField(source="is_active", help_text="Whether they may sign in and enroll.")
    administrator = serializers.BooleanField(source="is_admin")
    device_count = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_device_count(self, user: User) -> int:
        return device_count(user)


class Asked(Cursor):
    q = serializers.CharField(
        required=False, max_length=200, help_text="How a user ID, name, email or Managed Apple Account begins."
    )
    user_id = serializers.CharField(required=False, max_length=150, help_text="This one, whatever its capitals.")
    source = serializers.ChoiceField(User.Source.choices, required=False)  # type: ignore[assignment] # the framework has the name, too
    enabled = serializers.BooleanField(required=False, allow_null=True, default=None)
    sort = serializers.ChoiceField(sorts(ORDERS), default="user_id")


class NewUser(Given):
    example = {"user_id": "mia", "first_name": "Mia", "last_name": "Ito", "email": "mia@example.com"}
    user_id = Text(max_length=150, help_text="Letters, digits and - _ . @ $ # without spaces.")
    first_name = Text(max_length=150, allow_blank=True, default="")
    last_name = Text(max_length=150, allow_blank=True, default="")
    display_name = Text(max_length=300, allow_blank=True, default="")
    email = Text(max_length=320, allow_blank=True, default="")
    managed_apple_account = Text(max_length=320, allow_null=True, default=None)
    password = Text(
        max_length=people.LONGEST_PASSWORD,
        allow_null=True,
        default=None,
        trim_whitespace=False,
        write_only=True,
        help_text="None: they sign in with a registration PIN alone.",
    )
    must_change_password = Flag(default=True, help_text="At their first sign-in.")


class UserChange(Given):
    example = {"email": "mia.ito@example.com"}
    first_name = Text(max_length=150, allow_blank=True, required=False)
    last_name = Text(max_length=150, allow_blank=True, required=False)
    display_name = Text(max_length=300, allow_blank=True, required=False)
    email = Text(max_length=320, allow_blank=True, required=False)
    managed_apple_account = Text(max_length=320, allow_null=True, required=False)


def state(user: User) -> Sequence[Any]:
    return (user.pk, user.first_name, user.last_name, user.full_name, user.email, user.managed_apple_account,
            user.is_active)  # fmt: skip


def person(uuid: UUID, *, locked: bool = False) -> User:
    """Raises Http404."""
    return found(User.objects.all() if locked else counted(), locked=locked, uuid=uuid)


class Users(Listed[User], Done):
    says = {"GET": "Users, by what is asked for.", "POST": "Add a local user."}
    asks = Asked
    orders = ORDERS
    item = Person
    takes = {"POST": NewUser}
    tells = {"POST": Person}
    status = {"POST": 201}
    tagged = frozenset({"POST"})
    told_parameters = frozenset({"q", "user_id", "source", "enabled", "sort"})

    def rows(self) -> QuerySet[User]:
        asked, rows = self.asked, counted()
        if "user_id" in asked:
            rows = rows.filter(user_id__iexact=asked["user_id"])
        if "source" in asked:
            rows = rows.filter(source=asked["source"])
        if asked["enabled"] is not None:
            rows = rows.filter(is_active=asked["enabled"])
        return find(rows, asked["q"]) if "q" in asked else rows

    def prepare(self) -> tuple[NewPerson, User]:
        given = dict(self.given)
        must_change = given.pop("must_change_password")
        new = NewPerson(**given)
        user = people.checked(new)
        user.must_change_password = must_change and new.password is not None
        return new, user

    def perform(self, prepared: tuple[NewPerson, User]) -> Answer:
        new, user = prepared
        people.add(user, new, actor=self.actor)
        return self.answer(person(user.uuid), location=reverse("api:x-users-one", args=[user.uuid]))

    def state(self, row: User) -> Sequence[Any]:
        return state(row)


class OneUser(Patched[User], Deleted[User]):
    says = {
        "GET": "One user.",
        "PATCH": "Correct what a user is called, or the Managed Apple Account.",
        "DELETE": "Delete a user without devices.",
    }
    takes = {"PATCH": UserChange}
    tells = {"GET": Person, "PATCH": Person, "DELETE": None}
    tagged = frozenset({"GET", "PATCH"})
    matched = frozenset({"PATCH", "DELETE"})
    fails = {"DELETE": (422,)}

    def row(self, *, locked: bool, uuid: UUID) -> User:  # type: ignore[override] # its own place
        return person(uuid, locked=locked)

    def state(self, row: User) -> Sequence[Any]:
        return state(row)

    def edit(self, row: User) -> None:
        upkeep.may_change(row, self.roles)
        if set(NAMES) & self.given.keys():
            upkeep.refuse_directory(row)
        facts = {name: getattr(row, name) for name in NAMES} | {"display_name": row.full_name}
        facts |= {"managed_apple_account": row.managed_apple_account} | dict(self.given)
        facts["managed_apple_account"] = facts["managed_apple_account"] or ""
        upkeep.edit(row, Facts(**facts), actor=self.actor)

    def remove(self, row: User) -> None:
        upkeep.may_change(row, self.roles)
        upkeep.delete(row, actor=self.actor)


class _Switch(Done):
    tells = {"POST": Person}
    tagged = frozenset({"POST"})
    is_active: bool

    def perform(self, _prepared: None) -> Answer:
        user = person(self.kwargs["uuid"], locked=True)
        upkeep.may_change(user, self.roles)
        upkeep.set_active(user, is_active=self.is_active, actor=self.actor)
        return self.answer(person(user.uuid))

    def state(self, row: User) -> Sequence[Any]:
        return state(row)


class Enable(_Switch):
    says = {"POST": "Let a user sign in and enroll again."}
    is_active = True


class Disable(_Switch):
    says = {"POST": "Let a user neither sign in nor enroll; what is enrolled stays managed."}
    is_active = False
