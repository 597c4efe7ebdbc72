"""POST devices/action and its dedicated addresses: what the portal's actions do, in EPMM's words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api import asked
from devices.models import Device
from devices.services import actions, listing
from devices.services.actions import BY_KEY, Action, Order, Subject
from devices.services.actions.remote import SWITCHES, UpdateSystem
from epmm import masking, options, settings_store
from epmm.api.envelope import Json
from epmm.api.errors import ApiError, bad_parameter
from epmm.api.parameters import Parameters
from epmm.client_address import client_address
from users import permissions
from users.api.base import ApiView

RESULT: Final = "com.mobileiron.vsp.messages.device.action."
LONGEST: Final = 500
LONGEST_MESSAGE: Final = 4_000
LONGEST_SUBJECT: Final = 200
EMAIL: Final = "EMAIL"
MODES: Final = ("PNS", "SMS", EMAIL)
Read = Callable[[Parameters], Mapping[str, Any]]


def _nothing(_parameters: Parameters) -> Mapping[str, Any]:
    return {}


def _reason(parameters: Parameters) -> Mapping[str, Any]:
    more = _additional(parameters)
    reason = parameters.text("note", longest=LONGEST * 4) or parameters.text("reason", longest=LONGEST * 4)
    return {"reason": reason[:LONGEST], "pin": more.text("pin", longest=LONGEST)}


def _lock(parameters: Parameters) -> Mapping[str, Any]:
    more = _additional(parameters)
    return {
        "message": more.text("message", longest=LONGEST),
        "phone_number": more.text("phoneNumber", longest=32),
        "pin": more.text("pin", longest=LONGEST),
    }


def _letter(parameters: Parameters) -> Mapping[str, Any]:
    more = _additional(parameters)
    message = more.text("message", longest=LONGEST_MESSAGE)
    if not message.strip():
        raise bad_parameter("message", _("{name} is missing.").format(name="message"))
    subject = more.text("subject", longest=LONGEST_SUBJECT).strip() or _("A message from your administrator")
    return {"subject": subject, "message": message}


def _owner(parameters: Parameters) -> Mapping[str, Any]:
    more = _additional(parameters)
    name = "owner" if "owner" in more else "ownership"
    owner = more.choice(name, Device.Owner.values, "")
    return {"owner": owner}


def _version(parameters: Parameters) -> Mapping[str, Any]:
    return {"version": _additional(parameters).text("version", longest=32)}


def _additional(parameters: Parameters) -> Parameters:
    """What is in `additionalParameters`, or beside it where everything is in the address."""
    return parameters.within("additionalParameters")


class Result(NamedTuple):
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Known:
    action: Action | None  # None: nothing that any device here could do
    read: Read = _nothing


KNOWN: Final[Mapping[str, Known]] = {
    "WAKE_UP": Known(BY_KEY["check-in"]),
    "RETIRE": Known(BY_KEY["retire"], _reason),
    "WIPE_DEVICE": Known(BY_KEY["wipe"], _reason),
    "UNLOCK_DEVICE_ONLY": Known(BY_KEY["unlock"]),
    "LOCK_DEVICE": Known(BY_KEY["lock"], _lock),
    "SEND_MESSAGE": Known(BY_KEY["message"], _letter),
    "PUSH_PROFILES": Known(BY_KEY["push-profiles"]),
    "CHANGE_OWNERSHIP": Known(BY_KEY["ownership"], _owner),
    "UPDATE_OS": Known(UpdateSystem(), _version),
    **{name: Known(switch) for name, switch in SWITCHES.items()},
    "LOCATE": Known(None),
    "UNLOCK_APP_CONNECT_CONTAINER": Known(None),
}
SUCCESSFUL, FAILED, NOT_FOUND, NOT_SUPPORTED = "successful", "failed", "not.found", "not.supported"


class DeviceAction(ApiView):
    """The action that `actionType` names."""

    told_parameters = frozenset({"note", "reason", "mode"})
    action_type = ""  # of an address of its own

    def post(self, _request: Request) -> Response:
        return self._act()

    def _act(self) -> Response:
        self.space  # noqa: B018 - looked at before anything else
        name = self.action_type or self.parameters.text("actionType", longest=64).strip().upper()
        if name not in KNOWN:
            raise bad_parameter("actionType", _("There is no such action."))
        known = KNOWN[name]
        if known.action is not None:
            self.require(known.action.role)
            refuse_hidden(known.action)
        uuids = asked.uuids(self.parameters, listing.MOST_CHOSEN)
        if name == "WIPE_DEVICE":
            hold_to_limit(len(uuids))
        with self.noting():
            results = carry_out(known, name, uuids, self.parameters, self.actor, client_address(self.request._request))
        return Response(answer(name, results))


class _Dedicated(DeviceAction):
    def put(self, _request: Request) -> Response:
        return self._act()

    def post(self, _request: Request) -> Response:
        return self._act()


class WakeUp(_Dedicated):
    action_type = "WAKE_UP"


class Retire(_Dedicated):
    action_type = "RETIRE"


class Wipe(_Dedicated):
    action_type = "WIPE_DEVICE"


class Lock(_Dedicated):
    action_type = "LOCK_DEVICE"


class Unlock(_Dedicated):
    action_type = "UNLOCK_DEVICE_ONLY"


def carry_out(
    known: Known, name: str, uuids: Sequence[str], parameters: Parameters, actor: str, address: str | None
) -> dict[str, Result]:
    """What came of each, by the UUID as it was written."""
    if known.action is None or (name == "SEND_MESSAGE" and _mode(parameters) != EMAIL):
        return dict.fromkeys(uuids, Result(NOT_SUPPORTED, _("No device here can do that.")))
    order = Order(values=known.read(parameters), actor=actor, address=address)
    found = actions.subjects(asked.known(uuids).values())
    subjects = {str(each.device.uuid): each for each in found}
    return {uuid: _done(known.action, subjects.get(uuid.lower()), order) for uuid in uuids}


def answer(name: str, results: Mapping[str, Result]) -> Json:
    """With the reasons, where something went wrong."""
    failed = {uuid: result for uuid, result in results.items() if result.word != SUCCESSFUL}
    messages = [
        {"type": "Error", "messageKey": RESULT + result.word, "localizedMessage": f"{uuid}: {result.sentence}"}
        for uuid, result in failed.items()
    ]
    return {
        "actionType": name,
        "deviceResults": {uuid: RESULT + result.word for uuid, result in results.items()},
        "successful": not failed,
    } | ({"messages": messages} if messages else {})


def _done(action: Action, subject: Subject | None, order: Order) -> Result:
    if subject is None:
        return Result(NOT_FOUND, _("There is no such device."))
    (outcome,) = actions.carry_out(action, [subject], order)
    return Result(SUCCESSFUL if outcome.is_done else FAILED, outcome.said)


def _mode(parameters: Parameters) -> str:
    return _additional(parameters).choice("mode", MODES, "PNS")


def refuse_hidden(action: Action) -> None:
    """What the portal keeps from an administrator with the GDPR profile, it keeps from their script."""
    page = f"devices-{action.key}"
    if masking.hidden() and page in permissions.NEEDED and page not in permissions.MASKED:
        sentence = _("This tells personal data that your GDPR profile hides.")
        raise ApiError(403, "personal.data.hidden", sentence)


def hold_to_limit(number: int) -> None:
    most = settings_store.read(options.API_WIPE_LIMIT)
    if number > most:
        sentence = _("One call wipes at most {n} devices (setting api.wipe_limit).")
        raise ApiError(400, "wipe.limit", sentence.format(n=most))
