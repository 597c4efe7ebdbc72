"""PUT `dm/register`: a device is expected, in the words of the older Web Services API."""

from typing import Any, Final

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from devices.models import Device
from enrollment.services import announcing, registration
from enrollment.services.announcing import AnnouncementRefused, Expected
from epmm import options, settings_store
from epmm.api.errors import ApiError, bad_parameter, tells
from epmm.mail import MailRefused
from users.api.v1 import V1View, known

PLATFORMS: Final = {"I": "iOS", "IOS": "iOS", "M": "macOS", "MACOS": "macOS", "V": "visionOS", "VISIONOS": "visionOS"}
WITH_PIN: Final = ("pin", "password_and_pin")

tells(AnnouncementRefused, 400, "registration.refused")
tells(MailRefused, 400, "mail.refused")


class Register(V1View):
    told_parameters = frozenset({"userId", "platform", "deviceType", "countryCode", "isEmployeeOwned", "notifyUser"})

    def put(self, _request: Request) -> Response:
        platform = self.parameters.text("platform", longest=32).strip().upper()
        if platform not in PLATFORMS:
            raise bad_parameter("platform", _("Only devices of Apple are registered here: I, M or V."))
        user = known(self.parameters.text("userId", longest=150).strip())
        if not user.is_active:
            raise ApiError(400, "user.disabled", _("This account is disabled."))
        phone = "" if self.parameters.flag("pda", default=False) else self.parameters.text("phoneNumber", longest=40)
        owner = ""
        if "isEmployeeOwned" in self.parameters:
            is_theirs = self.parameters.flag("isEmployeeOwned", default=False)
            owner = Device.Owner.EMPLOYEE if is_theirs else Device.Owner.COMPANY
        country = self.parameters.text("countryCode", longest=2)
        announced = announcing.checked(platform=PLATFORMS[platform], owner=owner, country=country, phone_number=phone)
        notify = self.parameters.flag("notifyUser", default=False)
        language = get_language() or "en"
        announcing.announce([Expected(user, announced)], notify=notify, language=language, actor=self.actor)
        told: dict[str, Any] = {"status": "SUCCESS", "userId": user.user_id, "platform": PLATFORMS[platform]}
        if settings_store.read(options.REQUIREMENT) in WITH_PIN:
            told["passcode"] = registration.issue_pin(user, self.actor)
        waiting = user.devices.filter(status=Device.Status.VERIFICATION_PENDING).order_by("-pk").first()
        told["deviceUuid"] = str(waiting.uuid) if waiting is not None else ""
        return Response({"registration": told})
