"""What an administrator does to people, one after the other: in a request, or by the worker where it is too many."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from users.errors import InvalidPerson
from users.models import AdminRole, CustomAttribute, User
from users.services import administrators, custom_attributes, pins, role_plan, upkeep
from users.services.role_plan import Change, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was chosen, as JSON has it, and who it was with which roles."""

    actor: str
    roles: frozenset[str]
    values: Mapping[str, Any]
    prepared: Any = None  # for this person, by the action's `prepare`


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAction:
    key: str
    label: str | Promise
    do: Callable[[User, Order], str]  # what is told of it in a word; raises InvalidPerson
    prepare: Callable[[User], Any] | None = None  # what is slow, before the transaction
    role: str = AdminRole.USER_MANAGE
    is_secret: bool = False  # what is told is shown once
    is_for_account: bool = False  # lends or takes an administrator's sign-in


def carry_out(action: PersonAction, user: User, order: Order) -> tuple[str, str]:
    """What was wrong, and else what is to be told."""
    try:
        if action.is_for_account:
            upkeep.may_change(user, order.roles)
        return "", action.do(user, order)
    except InvalidPerson as error:
        return str(error), ""


BY_KEY: Final[dict[str, PersonAction]] = {}


def register(action: PersonAction) -> PersonAction:
    """Other apps have actions of their own."""
    BY_KEY[action.key] = action
    return action


def _require_password(user: User, order: Order) -> str:
    upkeep.require_new_password(user, actor=order.actor)
    return _("Asked at the next sign-in")


def _unlock(user: User, order: Order) -> str:
    return _("Unlocked") if upkeep.unlock(user, actor=order.actor) else _("Was not locked")


def _enable(user: User, order: Order) -> str:
    upkeep.set_active(user, is_active=True, actor=order.actor)
    return _("Enabled")


def _disable(user: User, order: Order) -> str:
    upkeep.set_active(user, is_active=False, actor=order.actor)
    return _("Disabled")


def _delete(user: User, order: Order) -> str:
    if order.values.get("retires") and upkeep.has_devices(user):
        upkeep.retire_devices(user, actor=order.actor)
        return _("The devices are being retired. Delete the person when they are gone.")
    upkeep.delete(user, actor=order.actor)
    return _("Deleted")


def packed(change: Change) -> dict[str, Any]:
    """A change of roles as JSON has it; accounts that were typed are for the few of one dialog."""
    return {
        "granted": sorted(change.granted),
        "removed": sorted(change.removed),
        "source": change.source.value,
        "text": change.text,
        "replaces": change.replaces,
        "retires": sorted(change.retires),
    }


def _assign_roles(user: User, order: Order) -> str:
    told = order.values
    change = Change(
        granted=frozenset(told["granted"]),
        removed=frozenset(told["removed"]),
        source=Source(told["source"]),
        text=told["text"],
        replaces=told["replaces"],
        retires=frozenset(told["retires"]),
    )
    (planned,) = role_plan.plan([user], change)
    role_plan.save(planned, change, actor=order.actor)
    return planned.account or _("Saved")


def _assign_admin_roles(user: User, order: Order) -> str:
    granted, removed = order.values["granted"], order.values["removed"]
    administrators.change_roles(user, granted=granted, removed=removed, actor=order.actor)
    return _("Saved")


def _assign_attributes(user: User, order: Order) -> str:
    texts: Mapping[str, str] = order.values["attributes"]
    found = {each: texts[str(each.pk)] for each in CustomAttribute.objects.filter(pk__in=map(int, texts))}
    if len(found) < len(texts):
        raise InvalidPerson(_("What it was to be done with has been deleted."))
    changed = custom_attributes.set_for_user(user, found, actor=order.actor)
    return _("Assigned") if changed else _("Had these values already")


ROLES: Final = register(PersonAction(key="roles", label=gettext_lazy("Assign Roles"), do=_assign_roles))
ADMIN_ROLES: Final = register(
    PersonAction(
        key="admin-roles",
        label=gettext_lazy("Assign administrator roles"),
        do=_assign_admin_roles,
        role=AdminRole.ADMIN_MANAGE,
    )
)
ATTRIBUTES: Final = register(
    PersonAction(key="attributes", label=gettext_lazy("Assign custom attributes"), do=_assign_attributes)
)
REQUIRE_PASSWORD: Final = register(
    PersonAction(
        key="require-password",
        label=gettext_lazy("Require password change"),
        do=_require_password,
        is_for_account=True,
    )
)
RESET_PASSWORD: Final = register(
    PersonAction(
        key="reset-password",
        label=gettext_lazy("Reset password"),
        do=lambda user, order: upkeep.reset_password(user, actor=order.actor, new=order.prepared),
        prepare=lambda user: upkeep.NewPassword.draw(user) if user.source == User.Source.LOCAL else None,
        is_secret=True,
        is_for_account=True,
    )
)
UNLOCK: Final = register(
    PersonAction(key="unlock", label=gettext_lazy("Unlock account"), do=_unlock, is_for_account=True)
)
ENABLE: Final = register(PersonAction(key="enable", label=gettext_lazy("Enable"), do=_enable, is_for_account=True))
DISABLE: Final = register(PersonAction(key="disable", label=gettext_lazy("Disable"), do=_disable, is_for_account=True))
PIN: Final = register(
    PersonAction(
        key="pin",
        label=gettext_lazy("Issue registration PIN"),
        do=lambda user, order: pins.issue(user, actor=order.actor, new=order.prepared),
        prepare=lambda _user: pins.NewPin.draw(),
        is_secret=True,
    )
)
DELETE: Final = register(PersonAction(key="delete", label=gettext_lazy("Delete"), do=_delete, is_for_account=True))
