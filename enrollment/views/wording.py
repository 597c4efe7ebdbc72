"""What traces hold as keys, in words."""

from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from devices.models import Device
from enrollment.models import AttemptStep, PolicyText

KINDS: Final[dict[str, str | Promise]] = dict(Device.EnrollmentType.choices)
TEXTS: Final[dict[str, str | Promise]] = {
    PolicyText.Kind.PRIVACY: _("Your Privacy Matters"),
    PolicyText.Kind.TERMS: _("Terms of Service"),
}
VALUES: Final[dict[str, str | Promise]] = {**KINDS, **TEXTS, **dict(Device.Owner.choices)}
CERTIFICATES: Final[dict[str, str | Promise]] = {
    "device_ca": _("Device CA"),
    "scep_ra": _("SCEP registration authority"),
    "profile_signer": _("Profile signer, made by this server"),
    "push": _("MDM certificate"),
    "tls": "HTTPS",
    "signing": _("Profile signing certificate"),
}
DETAILS: Final[dict[str, str | Promise]] = {
    "first": _("For the first time"),
    "kind": _("Kind"),
    "os_version": _("OS version"),
    "owner": _("Owner"),
    "rule": _("Rule"),
    "serial": _("Serial number of the certificate"),
    "version": _("Version"),
}


def details(step: AttemptStep) -> str:
    return ", ".join(f"{DETAILS.get(name, name)}: {_said(value)}" for name, value in step.details.items())


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return str(VALUES.get(value, value) if isinstance(value, str) else value)
