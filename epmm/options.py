"""The settings that administrators change; names as in the portal, dotted."""

from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from epmm import masking, option_texts, settings_store
from epmm.option_texts import FAMILIES, OFFERS, PLATFORMS, RIGHTS
from epmm.settings_store import Setting, Several, choice, flag, number, parsed, several

COMMAND_HISTORY_DAYS: Final = number(
    "devices.command_history_days",
    default=90,
    low=1,
    high=3650,
    help=gettext_lazy("How many days finished commands and their results are kept."),
)
PROFILE_CHECK_HOURS: Final = number(
    "devices.profile_check_hours",
    default=24,
    low=1,
    high=720,
    help=gettext_lazy("After how many hours a device is asked again whether its profiles are still installed."),
)
INVENTORY_HOURS: Final = number(
    "devices.inventory_hours",
    default=24,
    low=0,
    high=720,
    help=gettext_lazy("After how many hours a device is asked for its inventory again; 0: never."),
)
SCHEDULES: Final = ("off", "daily", "weekly", "monthly")
RETIRED_DAYS: Final = number(
    "devices.retired_days",
    default=90,
    low=1,
    high=3650,
    help=gettext_lazy("How many days a device has been retired or wiped when its record is deleted."),
)
RETIRED_SCHEDULE: Final = choice(
    "devices.retired_schedule",
    default="off",
    values=SCHEDULES,
    help=gettext_lazy("When old records are deleted: after midnight (UTC), on Mondays, on the first of a month."),
)
DUPLICATES_SCHEDULE: Final = choice(
    "devices.duplicates_schedule",
    default="off",
    values=SCHEDULES,
    help=gettext_lazy("When duplicates are looked for: after midnight (UTC), on Mondays, on the first of a month."),
)
DUPLICATES: Final = {
    platform: choice(
        f"devices.duplicates_{platform.lower()}",
        default="retire",
        values=("retire", "unknown", "nothing"),
        help=gettext_lazy("What becomes of the older record of the same device."),
    )
    for platform in PLATFORMS
}
MDM_PROFILE: Final = flag(
    "ios.mdm.profile",
    default=True,
    help=gettext_lazy(
        "Hand enrollment profiles to devices. Off: no device enrolls in any way; those that are enrolled stay managed."
    ),
)
PROFILE_NOTICE: Final = flag(
    "ios.mdm.profile_notice",
    default=False,
    help=gettext_lazy(
        "Whoever signed in on a device that fell silent before it was enrolled is told by mail after an hour."
    ),
)
DENY_EXPIRED: Final = flag(
    "ios.mdm.deny_expired_identities",
    default=True,
    help=gettext_lazy(
        "Off: a device whose certificate has expired goes on as before, until it has a new one. On is safer:"
        " whoever finds an old device or its backup cannot speak in its place."
    ),
)
RENEWAL_DAYS: Final = number(
    "ios.mdm.renewal_days",
    default=90,
    low=0,
    high=180,
    help=gettext_lazy("How many days before its end an identity certificate is renewed by itself; 0: never."),
)
ADDE: Final = flag(
    "ios.mdm.account_driven_device_enrollment",
    default=False,
    help=gettext_lazy(
        "For devices of the company: a person signs in with the work account, and the whole device is managed."
    ),
)
AAUE: Final = flag(
    "ios.mdm.account_driven_user_enrollment",
    default=False,
    help=gettext_lazy("For people's own devices: work is kept apart, and what is personal is neither seen nor erased."),
)
ACCESS_RIGHTS: Final[Setting[tuple[str, ...]]] = parsed(
    "ios.mdm.access_rights",
    default=RIGHTS,
    parse=option_texts.rights,
    accepts=", ".join(RIGHTS),
    help=gettext_lazy("What enrollment profiles let this server do on a device of the company."),
    shape=Several(RIGHTS),
)
MACHINE_INFO_SIGNATURE: Final = choice(
    "ios.mdm.machine_info_signature",
    default="log",
    values=("off", "log", "require"),
    help=gettext_lazy("What happens when the first message of an enrollment is not signed by an Apple device."),
)
AUTHENTICATION_METHOD: Final = choice(
    "ios.mdm.authentication_method",
    default="apple-as-web",
    values=("apple-as-web", "apple-oauth2"),
    help=gettext_lazy("How devices get their access token: from the sign-in page itself, or by OAuth 2 with renewal."),
)
REAUTHENTICATION: Final = flag(
    "ios.mdm.reauthentication",
    default=False,
    help=gettext_lazy(
        "Ask for a new sign-in when the access token of an enrolled device has expired. Try it on an iPhone and a Mac"
        " before."
    ),
)
REAUTHENTICATION_DAYS: Final = number(
    "ios.mdm.reauthentication_days",
    default=90,
    low=1,
    high=3650,
    help=gettext_lazy("How many days a sign-in holds where devices ask for a new one."),
)
REQUIREMENT: Final = choice(
    "registration.requirement",
    default="password",
    values=("password", "pin", "password_and_pin", "identity_provider"),
    help=gettext_lazy("What people sign in with when they enroll a device."),
)
PIN_LENGTH: Final = number(
    "registration.pin_length", default=6, low=6, high=12, help=gettext_lazy("Registration PIN Code Length.")
)
PIN_EXPIRY_HOURS: Final = number(
    "registration.pin_expiry_hours",
    default=4,
    low=1,
    high=4320,
    help=gettext_lazy("Passcode Expiry (hours). A PIN that stays valid longer than 4 hours is easier to misuse."),
)
QR_CODE: Final = flag(
    "registration.qr_code",
    default=True,
    help=gettext_lazy("Show a QR code for the phone in invitations and on the pages that say how to enroll a device."),
)
DEVICE_LIMIT: Final[Setting[int | None]] = parsed(
    "registration.device_limit",
    default=None,
    parse=option_texts.limit,
    accepts=gettext_lazy("none, or 1 to 50"),
    help=gettext_lazy("Per-User Device Limit."),
)
LIMIT_PRECEDENCE: Final = choice(
    "registration.limit_precedence",
    default="group",
    values=("group", "person"),
    help=gettext_lazy("Which counts where a group has a device limit and there is a per-user limit too."),
)
SEVERAL_LIMITS: Final = choice(
    "registration.several_limits",
    default="highest",
    values=("highest", "first"),
    help=gettext_lazy("Which limit counts for a person in several groups that have one."),
)
DEFAULT_OWNER: Final = choice(
    "registration.owner",
    default="COMPANY",
    values=("COMPANY", "EMPLOYEE"),
    help=gettext_lazy(
        "Who owns a device that enrolls by Account-Driven Device Enrollment. Any other is the employee's."
    ),
)
CHOOSE_OWNER: Final = flag(
    "registration.choose_owner",
    default=False,
    help=gettext_lazy(
        "At Account-Driven Device Enrollment people say after their sign-in whose device it is, unless an invitation or"
        " an enrollment rule does."
    ),
)
ALLOWED_FAMILIES: Final[Setting[tuple[str, ...]]] = parsed(
    "registration.allowed_families",
    default=FAMILIES,
    parse=lambda text: option_texts.names(text, FAMILIES),
    accepts=", ".join(FAMILIES),
    help=gettext_lazy("Which kinds of device may enroll."),
)
MINIMUM_OS: Final[Setting[tuple[str, ...]]] = parsed(
    "registration.minimum_os",
    default=(),
    parse=option_texts.minimum_os,
    accepts=gettext_lazy("none, or versions such as iOS=17.0,macOS=14.0"),
    help=gettext_lazy("The oldest system that may enroll, by platform."),
)
PRIVACY_PAGE: Final = parsed(
    "registration.privacy_page",
    default="off",
    parse=str,
    accepts=gettext_lazy("off, on for the built-in text, or a text of your own"),
    help=gettext_lazy("Your Privacy Matters, shown after the sign-in."),
)
TERMS: Final = parsed(
    "registration.terms",
    default="off",
    parse=str,
    accepts=gettext_lazy("off, on for the built-in text, or a text of your own"),
    help=gettext_lazy("End User Terms of Service, to be accepted before a device enrolls."),
)
ENROLLMENT_DOMAINS: Final[Setting[tuple[str, ...]]] = parsed(
    "enrollment.domains",
    default=(),
    parse=option_texts.domains,
    accepts=gettext_lazy("domains separated by commas; empty means the host of the public URL"),
    help=gettext_lazy("What people may type after the @ of their work address."),
)
DOMAIN_OFFERS: Final[Setting[tuple[str, ...]]] = parsed(
    "enrollment.domain_offers",
    default=(),
    parse=option_texts.domain_offers,
    accepts=gettext_lazy(
        "offers separated by commas, such as example.com=adde/iPhone; a domain without any offers whatever is switched"
        " on"
    ),
    help=gettext_lazy("Which kinds of enrollment a domain offers to which kinds of device, where that is not all."),
)
SIGN_PROFILE: Final = flag(
    "enrollment.sign_profile", default=True, help=gettext_lazy("Sign enrollment profiles. Off is for laboratories.")
)
SIGN_MESSAGE: Final = flag(
    "enrollment.sign_message",
    default=True,
    help=gettext_lazy("Have devices sign each message. Off only where a proxy asks devices for their certificate."),
)
ALLOW_TAKEOVER: Final = flag(
    "enrollment.allow_takeover",
    default=False,
    help=gettext_lazy("Let a person enroll a device that is still active under another person."),
)
ENTERPRISE_NAME: Final = parsed(
    "general.enterprise_name",
    default="EPMM",
    parse=option_texts.enterprise_name,
    accepts=gettext_lazy("a name of up to 64 characters"),
    help=gettext_lazy("Shown on sign-in pages, in mails, profiles and certificates."),
)
IDLE_MINUTES: Final = number(
    "general.timeout",
    default=15,
    low=5,
    high=90,
    help=gettext_lazy("Timeout (minutes): after so long without a click the portal signs out."),
)
LOGIN_TEXT: Final = parsed(
    "general.login_text",
    default="",
    parse=lambda text: text[:4000],
    accepts=gettext_lazy("a text of up to 4,000 characters; empty means none"),
    help=gettext_lazy("Login text: shown beside the sign-in of the portal."),
)
LOGIN_CONSENT: Final = flag(
    "general.login_consent",
    default=False,
    help=gettext_lazy("Nobody signs in to the portal without having ticked that they accept the login text."),
)
SHOW_LAST_SIGN_IN: Final = flag(
    "general.last_login", default=True, help=gettext_lazy("Show when and from where an administrator signed in last.")
)
AUDIT_DAYS: Final[Setting[int | None]] = parsed(
    "general.audit_days",
    default=None,
    parse=lambda text: option_texts.days(text, low=30, accepts=_("none, or 30 to 3650")),
    accepts=gettext_lazy("none, or 30 to 3650"),
    help=gettext_lazy("How many days entries of the audit log are kept; none keeps them for ever."),
)
AUDIT_NOTES: Final = flag(
    "general.audit_notes",
    default=False,
    help=gettext_lazy("Dialogs of actions have a field for a note, which is kept with the entry in the audit log."),
)
PASSWORD_LENGTH: Final = number(
    "security.password_length",
    default=8,
    low=8,
    high=64,
    help=gettext_lazy("How many characters a new password has at least."),
)
PASSWORD_KINDS: Final = number(
    "security.password_kinds",
    default=1,
    low=1,
    high=4,
    help=gettext_lazy("How many of these a new password holds: small letters, capitals, digits, other characters."),
)
PASSWORD_HISTORY: Final = number(
    "security.password_history",
    default=0,
    low=0,
    high=12,
    help=gettext_lazy("How many of a person's last passwords a new one must not be; 0 allows any."),
)
PASSWORD_DAYS: Final[Setting[int | None]] = parsed(
    "security.password_days",
    default=None,
    parse=lambda text: option_texts.days(text, low=1, accepts=_("none, or 1 to 3650")),
    accepts=gettext_lazy("none, or 1 to 3650"),
    help=gettext_lazy("After so many days administrators choose a new password when they sign in."),
)
SESSIONS: Final = number(
    "security.sessions",
    default=3,
    low=1,
    high=20,
    help=gettext_lazy("How many sessions an administrator has at once; the one that begins ends the oldest."),
)
HIDDEN_FIELDS: Final = several(
    "privacy.hidden_fields",
    default=tuple(masking.FIELDS),
    values=tuple(masking.FIELDS),
    help=gettext_lazy("What administrators with the GDPR profile do not see. Admin > Admins says who they are."),
)
INVITATION_DAYS: Final = number(
    "invitation.days",
    default=30,
    low=1,
    high=365,
    help=gettext_lazy("How many days an invitation waits for its device; reminders end with it."),
)
CONSENT_NOTICE: Final = parsed(
    "registration.consent_notice",
    default="",
    parse=option_texts.email,
    accepts=gettext_lazy("an email address, or nothing"),
    help=gettext_lazy("Who is told by mail of each acceptance, unless the text names somebody else."),
)
ACCEPT_AGAIN: Final = flag(
    "registration.accept_again",
    default=False,
    help=gettext_lazy("A changed text is shown again at a person's next sign-in to the user portal."),
)
API_CALLS_PER_SECOND: Final = number(
    "api.calls_per_second",
    default=100,
    low=5,
    high=10_000,
    help=gettext_lazy("How many calls a second each caller of the API has in the long run, in each process."),
)
API_WIPE_LIMIT: Final = number(
    "api.wipe_limit",
    default=50,
    low=0,
    high=1000,
    help=gettext_lazy("How many devices one call of the API may wipe."),
)
API_UNLOCK_ON_GET: Final = flag(
    "api.unlock_on_get",
    default=False,
    help=gettext_lazy("Accept the V1 call that unlocks a device by GET. Unsafe: who follows an address acts by it."),
)
WEBHOOK_GIVE_UP_DAYS: Final = number(
    "webhooks.give_up_days",
    default=5,
    low=1,
    high=90,
    help=gettext_lazy("After how many days without success a webhook is switched off."),
)
WEBHOOK_LOG_DAYS: Final = number(
    "webhooks.log_days",
    default=14,
    low=1,
    high=365,
    help=gettext_lazy("How many days deliveries to webhooks, and dead letters, are kept."),
)
LEGACY_CIPHERS: Final = flag(
    "scep.legacy_ciphers", default=False, help=gettext_lazy("Accept single DES from SCEP clients. Unsafe.")
)


def access_rights() -> int:
    """As Apple adds them up."""
    return sum(int(right) for right in settings_store.read(ACCESS_RIGHTS))


def enrollment_domains() -> tuple[str, ...]:
    """The domains people may type; the host of the public URL when none is set."""
    return settings_store.read(ENROLLMENT_DOMAINS) or (settings.PUBLIC_HOST,)


def domain_offers(domain: str) -> frozenset[str]:
    """`adde/iPhone` and the like; all there are, unless somebody has narrowed the domain."""
    pairs = (item.split("=") for item in settings_store.read(DOMAIN_OFFERS))
    return frozenset(offer for of, offer in pairs if of == domain) or frozenset(OFFERS)
