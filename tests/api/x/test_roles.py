"""Who may do what, written down by hand: what the code goes by is held against it."""

import pytest

from devices.models import Device
from devices.services.actions import BY_KEY
from tests import factories
from tests.api.conftest import Script, make_caller
from tests.api.x.conftest import X
from users.api.permissions import CALLER, MASKED, NEEDED
from users.models import AdminRole
from users.services import api_tokens

# By the beginning of its name: the role that looks (GET), and the one for all else.  A longer beginning goes before a
# shorter one; None: nothing of that kind is there.
BY_HAND: dict[str, tuple[str | None, AdminRole | None]] = {
    "openapi": (CALLER, None),
    "users": (AdminRole.USER_VIEW, AdminRole.USER_MANAGE),
    "roles": (CALLER, None),
    "accounts": (None, AdminRole.USER_MANAGE),
    "registration-pins": (AdminRole.USER_VIEW, AdminRole.USER_MANAGE),
    "imports-users": (None, AdminRole.USER_MANAGE),
    "exports-users": (AdminRole.USER_VIEW, None),
    "imports-labels": (None, AdminRole.LABEL_MANAGE),
    "exports-labels": (AdminRole.LABEL_VIEW, None),
    "audit": (AdminRole.LOGS_VIEW, None),
    "audit-chain-check": (None, AdminRole.SETTINGS_MANAGE),
    "settings": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE),
    "webhook": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE),
    "enrollment-domains": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE),
    "enrollment-attempts": (AdminRole.LOGS_VIEW, None),
    "devices": (AdminRole.DEVICE_VIEW, None),
    "devices-actions": (None, AdminRole.DEVICE_VIEW),  # and that of the action: below
    "devices-command": (AdminRole.DEVICE_VIEW, AdminRole.DEVICE_MANAGE),
    "commands": (AdminRole.LOGS_VIEW, None),
    "actions": (AdminRole.DEVICE_VIEW, AdminRole.DEVICE_VIEW),  # as above
    "actions-stop": (None, AdminRole.DEVICE_MANAGE),
    "broadcasts": (AdminRole.LOGS_VIEW, AdminRole.DEVICE_MANAGE),
    "broadcasts-one": (AdminRole.DEVICE_VIEW, None),
    "labels": (AdminRole.LABEL_VIEW, AdminRole.LABEL_MANAGE),
    "labels-devices": (AdminRole.DEVICE_VIEW, None),
    "labels-add": (None, AdminRole.LABEL_APPLY),
    "labels-remove": (None, AdminRole.LABEL_APPLY),
    "configurations": (AdminRole.CONFIGURATION_VIEW, AdminRole.CONFIGURATION_MANAGE),
    "declarations": (AdminRole.CONFIGURATION_VIEW, AdminRole.CONFIGURATION_MANAGE),
    "certificates": (AdminRole.DEVICE_VIEW, AdminRole.DEVICE_MANAGE),
}
# What names people or tells what they did opens for nobody from whom personal data is hidden.
NEVER_MASKED = (
    "users", "accounts", "registration-pins", "imports", "exports-users", "audit GET", "enrollment-attempts",
    "webhook-deliver", "commands", "broadcasts", "certificates",
)  # fmt: skip
OF_ACTIONS: dict[str, AdminRole] = {
    **dict.fromkeys(BY_KEY, AdminRole.DEVICE_MANAGE),
    "apply-label": AdminRole.LABEL_APPLY,
    "remove-label": AdminRole.LABEL_APPLY,
    "wipe": AdminRole.DEVICE_WIPE,
    "delete-retired": AdminRole.DEVICE_DELETE_RETIRED,
}
CALLS = {call.removeprefix("x-"): needed for call, needed in NEEDED.items() if call.startswith("x-")}


@pytest.mark.parametrize("call", CALLS)
def test_the_table_says_what_is_written_down_by_hand(call: str) -> None:
    name, _space, method = call.partition(" ")
    looking, changing = BY_HAND[max((beginning for beginning in BY_HAND if name.startswith(beginning)), key=len)]

    assert CALLS[call] == (looking if method == "GET" else changing)


def test_personal_data_stays_behind_the_gdpr_profile() -> None:
    assert [call for call in CALLS if call.startswith(NEVER_MASKED) and f"x-{call}" in MASKED] == []


@pytest.mark.django_db(transaction=True)
def test_an_action_needs_its_own_role_whichever_way_it_is_ordered() -> None:
    person, device = make_caller("script"), Device.objects.create(user=factories.user("mia"))
    roles = frozenset(AdminRole.values) - {AdminRole.API}

    def carrying(scopes: frozenset[str]) -> Script:
        _row, token = api_tokens.create(person, name="x", scopes=scopes, days=1, actor="test")
        return Script(f"Bearer {token}", base=X)

    kinds = set(OF_ACTIONS.values())
    alone = {role: carrying(frozenset({AdminRole.DEVICE_VIEW, role})) for role in kinds}
    without = {role: carrying(roles - {role}) for role in kinds}
    for key, role in OF_ACTIONS.items():
        body = {"action": key, "values": {"nonsense": 1}}  # so that nothing is done
        for where, more in ((f"devices/{device.uuid}/actions", {}), ("actions", {"devices": [str(device.uuid)]})):
            assert alone[role].ask("POST", where, body | more).status_code == 422, (key, where)
            assert without[role].ask("POST", where, body | more).status_code == 403, (key, where)
    for erase in (without[AdminRole.DEVICE_WIPE], alone[AdminRole.DEVICE_MANAGE]):
        answer = erase.ask("POST", f"devices/{device.uuid}/commands", {"request_type": "EraseDevice"})
        assert answer.status_code == 403
