"""PUT `dm/register`: a device is expected, in the words of the older Web Services API."""

from typing import Any, Final

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from devices.models import Device
from enrollment.services import announcing, registration
from enrollment.services.announcing import AnnouncementRefused, Expected
from enrollment.services.registration import Announced
from epmm import options, settings_store
from epmm.api.errors import ApiError, bad_parameter, tells
from epmm.mail import MailRefused
from users.api.v1 import V1View, found
from users.errors import UnknownPerson
from users.models import AdminRole, User
from users.services import people
from users.services.directory import sign_in

PLATFORMS: Final = {"I": "iOS", "IOS": "iOS", "M": "macOS", "MACOS": "macOS", "V": "visionOS", "VISIONOS": "visionOS"}
# In the words of the parameters, and in those of what is answered.
FIRST_NAME: Final = ("userFirstName", "firstName")
LAST_NAME: Final = ("userLastName", "lastName")
NO_PHONE: Final = "PDA"
EMAIL: Final = ("userEmailAddress", "emailAddress", "email")
WITH_PIN: Final = ("pin", "password_and_pin")

tells(AnnouncementRefused, 400, "registration.refused")
tells(MailRefused, 400, "mail.refused")


class Register(V1View):
    told_parameters = frozenset(
        {"userId", "platform", "deviceType", "countryCode", "operator", "isEmployeeOwned", "importUserFromLdap",
         "notifyUser", "notifyUserBySMS"}
    )  # fmt: skip

    def put(self, _request: Request) -> Response:
        announced = self._announced()
        name = self.parameters.text("userId", longest=150).strip()
        notify = self.parameters.flag("notifyUser", default=False)
        user = self._known(name)
        with transaction.atomic():
            user = user or self._made(name)
            if not user.is_active:
                raise ApiError(400, "user.disabled", _("This account is disabled."))
            expected, language = Expected(user, announced), get_language() or "en"
            announcing.announce([expected], notify=notify, language=language, actor=self.actor)
        told: dict[str, Any] = {"status": "SUCCESS", "userId": user.user_id, "platform": announced.platform}
        if settings_store.read(options.REQUIREMENT) in WITH_PIN:
            told["passcode"] = registration.issue_pin(user, self.actor)
        waiting = user.devices.filter(status=Device.Status.VERIFICATION_PENDING).order_by("-pk").first()
        told["deviceUuid"] = str(waiting.uuid) if waiting is not None else ""
        return Response({"registration": told, **self._messages()})

    def _announced(self) -> Announced:
        platform = self.parameters.text("platform", longest=32).strip().upper()
        if platform not in PLATFORMS:
            raise bad_parameter("platform", _("Only devices of Apple are registered here: I, M or V."))
        owner = ""
        if "isEmployeeOwned" in self.parameters:
            is_theirs = self.parameters.flag("isEmployeeOwned", default=False)
            owner = Device.Owner.EMPLOYEE if is_theirs else Device.Owner.COMPANY
        kind, country = self.parameters.text("deviceType", longest=64), self.parameters.text("countryCode", longest=8)
        has_none = self.parameters.flag("pda", default=False) or kind.strip().upper() == NO_PHONE
        return announcing.checked(
            platform=PLATFORMS[platform],
            owner=owner,
            country="" if country.strip().isdecimal() else country,  # clients of EPMM send a dialling code
            phone_number="" if has_none else self.parameters.text("phoneNumber", longest=40),
            operator=self.parameters.text("operator", longest=64),
        )

    def _known(self, name: str) -> User | None:
        """Here, or to a directory where that is asked for."""
        try:
            return people.by_user_id(name)
        except UnknownPerson:
            if not (self.parameters.flag("importUserFromLdap", default=False) and name):
                return None
        self.require(AdminRole.USER_MANAGE)
        return found(sign_in.taken_in(name))

    def _made(self, name: str) -> User:
        """A local user of what is said of them; nobody is made of a name that may be misspelt."""
        first_name, last_name, email = self._said(*FIRST_NAME), self._said(*LAST_NAME), self._said(*EMAIL)
        if not (first_name or last_name or email):
            return found(None)
        self.require(AdminRole.USER_MANAGE)
        new = people.NewPerson(user_id=name, first_name=first_name, last_name=last_name, email=email)
        return people.create(new, actor=self.actor)

    def _said(self, *names: str) -> str:
        return next((text for each in names if (text := self.parameters.text(each, longest=320).strip())), "")

    def _messages(self) -> dict[str, Any]:
        if not self.parameters.flag("notifyUserBySMS", default=False):
            return {}
        return {"messages": {"message": _("No SMS was sent: this server sends email alone.")}}
