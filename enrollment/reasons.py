"""Why an enrollment stopped: a code the administrator can look up, a sentence for the person, advice for the operator.

E-1xx discovery and first request, E-2xx sign-in, E-3xx policy, E-4xx certificate and token, E-5xx device messages.
"""

from dataclasses import dataclass, field
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ASK: Final = _("Your account may not enroll this device. Ask your administrator and give the code {code}.")


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    # The texts compare and hash as they read in the language of the moment.
    person: str | Promise = field(compare=False)  # shown on the device
    operator: str | Promise = field(compare=False)  # shown in the trace and by `doctor`

    def sentence(self, **values: object) -> str:
        return str(self.person).format(code=self.code, **values)


def _reason(code: str, operator: str | Promise, person: str | Promise = ASK) -> Reason:
    if code in BY_CODE:
        raise ValueError(f"{code} is taken")
    reason = Reason(code, person, operator)
    BY_CODE[code] = reason
    return reason


BY_CODE: Final[dict[str, Reason]] = {}

NOT_OFFERED: Final = _reason(
    "E-101",
    _(
        "Account-driven enrollment is switched off, or the enrollment domain offers none to this kind of device. Switch"
        " it on under Settings > iOS > MDM (manage.py setting ios.mdm.account_driven_device_enrollment on; and"
        " ios.mdm.profile, without which there is none)."
    ),
    _("Your organization has not enabled work enrollment for this account."),
)
FOREIGN_IDENTIFIER: Final = _reason(
    "E-102",
    _("The typed address is not in an enrollment domain. Add the domain to enrollment.domains or correct the address."),
    _("Your organization has not enabled work enrollment for this account."),
)
FAMILY_CANNOT_ENROL: Final = _reason(
    "E-103",
    _("This kind of device has no account-driven enrollment."),
    _("This kind of device cannot be enrolled with a work account."),
)
NOT_VERIFIED: Final = _(
    "This device could not be verified. Restart it and try again, else ask your administrator and give the code {code}."
)
UNREADABLE: Final = _reason("E-111", _("The device's first message could not be read."), NOT_VERIFIED)
UNKNOWN_DEVICE_CA: Final = _reason(
    "E-112",
    _("The device's first message is signed by a certificate that is not from a known Apple device CA."),
    NOT_VERIFIED,
)
ALTERED: Final = _reason("E-113", _("The device's first message was altered after it was signed."), NOT_VERIFIED)
UNSIGNED: Final = _reason("E-114", _("The device's first message is not signed."), NOT_VERIFIED)

WRONG_CREDENTIALS: Final = _reason(
    "E-201", _("User ID, password or PIN was wrong."), _("The user ID, password or PIN is not right.")
)
TOO_MANY_ATTEMPTS: Final = _reason(
    "E-202",
    _(
        "Too many wrong attempts: for this name, from this address, or in all. It ends by itself; the step says which"
        " limit it was."
    ),
    _("Too many attempts. Try again in {seconds} seconds."),
)
PIN_EXPIRED: Final = _reason(
    "E-203",
    _("The registration PIN has expired. Issue another with `manage.py pin`."),
    _("This PIN has expired. Ask for a new one."),
)
PASSWORD_MUST_CHANGE: Final = _reason(
    "E-204",
    _("The person still has a one-time password, which must be changed first."),
    _("Your password must be changed before you can enroll a device. Ask your administrator."),
)
SOMEONE_ELSE: Final = _reason(
    "E-205",
    _("The address typed on the device belongs to another person than the one who signed in."),
    _("You signed in as somebody else than the address you typed. Go back and type your own work address."),
)
SIGN_IN_EXPIRED: Final = _reason(
    "E-206",
    _("The sign-in took longer than an hour or its address was altered."),
    _("This sign-in is no longer valid. Close this page and start again in Settings."),
)
PROVIDER_DOWN: Final = _reason(
    "E-221",
    _("The identity provider could not be reached. Services > Identity providers > Test says why."),
    _("The sign-in service of your organization cannot be reached at the moment. Try again in a few minutes."),
)
PROVIDER_DOUBTED: Final = _reason(
    "E-222",
    _("What the identity provider answered was not to be believed, or its client secret is wrong: see the step."),
    _("The answer of your organization's sign-in service could not be trusted. Start again, or give the code {code}."),
)
PROVIDER_SAID_NO: Final = _reason(
    "E-223",
    _("The identity provider let the person not in, or the person cancelled there."),
    _("Your organization's sign-in service did not let you in, or you cancelled."),
)
NO_PROVIDER: Final = _reason(
    "E-224",
    _(
        "People sign in at an identity provider, and none is enabled for enrollment. Set one up under Services >"
        " Identity providers, or change registration.requirement."
    ),
)
NOT_KNOWN_HERE: Final = _reason(
    "E-225",
    _("The identity provider's person is nobody here and was not added: see the step for what stood in the way."),
)
NOT_IN_GROUP: Final = _reason(
    "E-226",
    _("The person is in none of the groups that may sign in through this identity provider."),
)
NOT_OAUTH: Final = _reason(
    "E-227",
    _("The device's authorization request was not one: see the step for what was wrong."),
    _("This sign-in is no longer valid. Close this page and start again in Settings."),
)
DIRECTORY_DOWN: Final = _reason(
    "E-207",
    _("A directory could not be asked, so nobody was told whether the password was right. See Services > LDAP."),
    _("Your organization's directory cannot be reached just now. Try again in a few minutes."),
)

ACCOUNT_DISABLED: Final = _reason("E-301", _("The account is disabled."))
FEATURE_OFF: Final = _reason(
    "E-302",
    _(
        "This kind of enrollment is switched off. Switch it on under Settings > iOS > MDM (manage.py setting"
        " ios.mdm.account_driven_device_enrollment on, or ios.mdm.account_driven_user_enrollment; and ios.mdm.profile,"
        " without which there is none)."
    ),
    _("Your organization has not switched on this kind of enrollment. Ask your administrator, code {code}."),
)
ROLE_MISSING: Final = _reason(
    "E-303",
    _(
        "The person lacks the role for this enrollment. Grant it under Users > Actions > Assign Roles"
        " (manage.py assign_role USER_ID apple.adde, or apple.aaue)."
    ),
)
ACCOUNT_MISSING: Final = _reason(
    "E-304",
    _(
        "The person has no Managed Apple Account. Enter one under Users > Actions > Assign Roles"
        " (manage.py assign_role USER_ID apple.adde --managed-apple-account ACCOUNT)."
    ),
)
FOREIGN_ACCOUNT: Final = _reason(
    "E-305",
    _("The Managed Apple Account is not in an enrollment domain. Change the account or add the domain."),
)
DEVICE_LIMIT: Final = _reason(
    "E-306",
    _(
        "The person has reached the device limit. Retire a device (manage.py retire DEVICE)"
        " or raise the limit: in the rule of the group that the step names, else registration.device_limit."
    ),
    _(
        "You already use {used} of {limit} allowed devices. One of them must be retired first: by your administrator,"
        " or by you in the user portal if you may. Then try again."
    ),
)
FAMILY_REFUSED: Final = _reason(
    "E-307",
    _(
        "The rule of the group or the enrollment domain that the step names, or registration.allowed_families, leaves"
        " this kind of device out."
    ),
    _("Your organization does not allow this kind of device. Ask your administrator, code {code}."),
)
SYSTEM_TOO_OLD: Final = _reason(
    "E-308",
    _(
        "The device's system is older than the rule of the group that the step names, or registration.minimum_os,"
        " allows."
    ),
    _("Update this device to version {minimum} or later, then try again."),
)
ANOTHER_PERSONS_DEVICE: Final = _reason(
    "E-309",
    _(
        "The device is still active under another person. Retire it there (manage.py retire DEVICE),"
        " or set enrollment.allow_takeover."
    ),
)
KIND_REFUSED: Final = _reason(
    "E-310",
    _(
        "The rule of the group or the enrollment domain that the step names leaves this kind of enrollment out. Change"
        " it under Settings > Enrollment rules, or Enrollment domains."
    ),
    _("Your organization does not allow you this kind of enrollment. Ask your administrator, code {code}."),
)

CHALLENGE_REFUSED: Final = _reason(
    "E-401", _("The certificate request had no valid one-time challenge. Enroll again to get a new one.")
)
REQUEST_REFUSED: Final = _reason("E-402", _("The certificate request was not acceptable."))
TOKEN_REFUSED: Final = _reason(
    "E-403", _("The access token is expired, revoked or from another sign-in. The device is asked to sign in again.")
)

CERTIFICATE_REFUSED: Final = _reason("E-501", _("The device's certificate was not issued here or is not valid now."))
WRONG_DEVICE: Final = _reason("E-502", _("The message names another device than its certificate."))
MESSAGE_REFUSED: Final = _reason("E-503", _("The device's message did not fit its enrollment."))
