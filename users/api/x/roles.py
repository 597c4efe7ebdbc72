"""Roles of people, and where they come from; Managed Apple Accounts for many, seen before they are given."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from epmm.api.fields import Flag, Given, Text, Told, Uuid
from users.api.x.base import All, Done, XView
from users.api.x.users import person
from users.errors import InvalidPerson
from users.models import ACCOUNT_DRIVEN, PORTAL_CHILDREN, Role, User
from users.services import role_plan, roles
from users.services.account_patterns import DEFAULT_PATTERN, LONGEST_PATTERN
from users.services.idempotency import Answer
from users.services.people_lists import everybody
from users.services.role_plan import ATTRIBUTES, UPN, Change, Planned, Source
from users.services.roles import Held

SOURCES: Final = [each.value for each in Source if each is not Source.KEEP]
MOST: Final = 200  # people of one call
ROLE: Final = serializers.ChoiceField(Role.choices)


class RoleTold(Told):
    example = {
        "key": "apple.adde",
        "label": "Allow Account Driven Apple Device Enrollment",
        "needs_user_portal": False,
        "needs_managed_apple_account": True,
    }
    key = serializers.ChoiceField(Role.choices, source="value")
    label = serializers.CharField()  # type: ignore[assignment] # the framework has the name, too
    needs_user_portal = serializers.SerializerMethodField()
    needs_managed_apple_account = serializers.SerializerMethodField()

    def get_needs_user_portal(self, role: Role) -> bool:
        return role in PORTAL_CHILDREN

    def get_needs_managed_apple_account(self, role: Role) -> bool:
        return role in ACCOUNT_DRIVEN


class Roles(All):
    says = {"GET": "Which roles people can have."}
    item = RoleTold

    def items(self) -> Sequence[Role]:
        return list(Role)


class HeldTold(Told):
    example = {
        "key": "portal",
        "label": "User Portal",
        "group": None,
        "granted_at": "2025-01-01T12:00:00Z",
        "granted_by": "admin",
    }
    key = serializers.ChoiceField(Role.choices)
    label = serializers.CharField()  # type: ignore[assignment] # the framework has the name, too
    group = serializers.SerializerMethodField(help_text="Which hands it down; null: granted to this very person.")
    granted_at = serializers.DateTimeField()
    granted_by = serializers.CharField()

    def get_group(self, held: Held) -> str | None:
        return held.origin or None


class RolesHeld(Told):
    example = {"items": [HeldTold.example]}
    items = HeldTold(many=True)


class NewRoles(Given):
    example = {"roles": ["portal", "apple.adde"], "managed_apple_account": "mia@example.com"}
    roles = serializers.ListField(child=ROLE, min_length=1, max_length=len(Role))
    managed_apple_account = Text(
        max_length=320, allow_null=True, default=None, help_text="Given with the roles, where one of them needs it."
    )


class RolesOfUser(Done):
    says = {
        "GET": "The roles of a user that act, each as often as it has an origin.",
        "POST": "Grant roles to a user; those that are granted stay.",
    }
    takes = {"POST": NewRoles}
    tells = {"GET": RolesHeld, "POST": RolesHeld}

    def get(self, _request: Request, uuid: UUID) -> Response:
        return Response(self.shown(_held(person(uuid))))

    def perform(self, _prepared: None) -> Answer:
        user = person(self.kwargs["uuid"], locked=True)
        account = self.given["managed_apple_account"]
        roles.grant(user, self.given["roles"], actor=self.actor, managed_apple_account=account)
        return self.answer(_held(user))


class RoleOfUser(XView):
    says = {"DELETE": "Revoke a role that was granted to this user; those of groups stay."}
    tells = {"DELETE": None}
    fails = {"DELETE": (422,)}

    def delete(self, _request: Request, uuid: UUID, key: str) -> Response:
        if key not in Role:
            raise Http404
        with transaction.atomic():
            user = person(uuid, locked=True)
            if key not in user.granted_role_keys():
                raise Http404
            roles.remove(user, [key], actor=self.actor)
        return Response(status=204)


def _held(user: User) -> dict[str, list[Held]]:
    return {"items": roles.effective(user)}


# --- Managed Apple Accounts -------------------------------------------------------------------------------------------


class Whom(Given):
    user = Uuid()
    managed_apple_account = Text(max_length=320, allow_null=True, required=False, help_text="With the source `typed`.")


class NewAccounts(Given):
    example = {
        "users": [{"user": "6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01"}],
        "source": "pattern",
        "pattern": "{first_name}.{last_name}@{domain}",
    }
    users = serializers.ListField(child=Whom(), min_length=1, max_length=MOST)
    source = serializers.ChoiceField(SOURCES)  # type: ignore[assignment] # the framework has the name, too
    pattern = Text(max_length=LONGEST_PATTERN, default=DEFAULT_PATTERN)
    attribute = serializers.ChoiceField(list(ATTRIBUTES), default=UPN)
    replace = Flag(default=False, help_text="Also where somebody has an account already; typed ones always do.")


class AccountTold(Told):
    user = serializers.UUIDField()
    user_id = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)
    problem = serializers.CharField(help_text="Why not; empty: nothing is in the way.")
    warning = serializers.CharField()
    saved = serializers.BooleanField()


class Accounts(Told):
    example = {
        "items": [
            {
                "user": "6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01",
                "user_id": "mia",
                "before": None,
                "after": "mia.ito@example.com",
                "problem": "",
                "warning": "",
                "saved": False,
            }
        ]
    }
    items = AccountTold(many=True)


class PreviewAccounts(Done):
    says = {"POST": "What giving these accounts would do; nothing is changed."}
    keyed = frozenset()
    takes = {"POST": NewAccounts}
    tells = {"POST": Accounts}
    fails = {"POST": (404,)}

    def perform(self, _prepared: None) -> Answer:
        planned, _change = self.planned()
        return self.answer({"items": [_told(each, before, each.problem) for each, before in planned]})

    def planned(self) -> tuple[list[tuple[Planned, str | None]], Change]:
        """With the accounts that people have now.  Raises Http404."""
        given = self.given
        wanted = {each["user"]: each for each in given["users"]}
        people = {user.uuid: user for user in everybody().filter(uuid__in=wanted)}
        if wanted.keys() - people.keys():
            raise Http404
        chosen = [people[uuid] for uuid in wanted]
        source = Source(given["source"])
        change = Change(
            granted=frozenset(),
            removed=frozenset(),
            source=source,
            typed={
                people[uuid].pk: each["managed_apple_account"] or ""
                for uuid, each in wanted.items()
                if "managed_apple_account" in each
            },
            text=given["attribute"] if source is Source.ATTRIBUTE else given["pattern"],
            replaces=given["replace"],
        )
        return [(each, each.user.managed_apple_account) for each in role_plan.plan(chosen, change)], change


class AssignAccounts(PreviewAccounts):
    says = {"POST": "Give Managed Apple Accounts; each person's succeeds or fails alone."}
    keyed = frozenset({"POST"})

    def perform(self, _prepared: None) -> Answer:
        planned, change = self.planned()
        return self.answer({"items": [_told(each, before, self._save(each, change), saves=True)
                                      for each, before in planned]})  # fmt: skip

    def _save(self, planned: Planned, change: Change) -> str:
        try:
            with transaction.atomic():
                role_plan.save(planned, change, actor=self.actor)
        except InvalidPerson as error:
            return str(error)
        return ""


def _told(planned: Planned, before: str | None, problem: str, *, saves: bool = False) -> dict[str, Any]:
    return {
        "user": planned.user.uuid,
        "user_id": planned.user.user_id,
        "before": before,
        "after": before if problem else planned.account,
        "problem": problem,
        "warning": planned.warning,
        "saved": saves and not problem,
    }
