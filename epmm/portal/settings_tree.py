"""Settings > System Settings: which setting stands on which page, under the name an EPMM administrator knows.

A setting that has no place here appears under General > Other, so that none is out of reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from epmm import limit_options, mail_options, masking, options, settings_store
from epmm.settings_store import Setting

TIME_TO_MISUSE: Final = _("A PIN that stays valid longer than {default} hours is easier to misuse.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    setting: Setting[Any]
    label: str | Promise
    is_long: bool = False  # a text of several lines
    in_lists: bool = False  # what can be had and what is chosen, beside one another
    values: dict[str, str | Promise] = field(default_factory=dict)  # what a choice is called
    above_default: str | Promise = ""  # the warning for a larger value than the default

    @property
    def warning(self) -> str:
        is_above = self.above_default and settings_store.read(self.setting) > self.setting.default
        return str(self.above_default).format(default=self.setting.default) if is_above else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    slug: str
    label: str | Promise
    rows: tuple[Row, ...] = ()
    page: str = ""  # the name of its address, where it is more than a form

    @property
    def address(self) -> str:
        return reverse(f"portal:{self.page}") if self.page else reverse("portal:settings-page", args=[self.slug])


@dataclass(frozen=True, slots=True)
class Group:
    label: str | Promise
    nodes: tuple[Node, ...]


IOS_MDM: Final = Node(
    slug="ios-mdm",
    label=_("MDM"),
    page="settings-ios-mdm",
    rows=(
        Row(setting=options.MDM_PROFILE, label=_("Enable MDM Profile")),
        Row(setting=options.ADDE, label=_("Enable Account Driven Device Enrollment")),
        Row(setting=options.AAUE, label=_("Enable Account Driven User Enrollment")),
        Row(setting=options.PROFILE_NOTICE, label=_("Send email to device user if MDM profile is not installed")),
        Row(
            setting=options.DENY_EXPIRED,
            label=_("Deny check-in for devices whose MDM identity certificate has expired"),
        ),
        Row(setting=options.RENEWAL_DAYS, label=_("Renew MDM identity certificates before their end (days)")),
        Row(
            setting=options.MACHINE_INFO_SIGNATURE,
            label=_("First message without Apple's signature"),
            values={"off": _("Not checked"), "log": _("Accepted, and noted in the log"), "require": _("Refused")},
        ),
        Row(
            setting=options.AUTHENTICATION_METHOD,
            label=_("Authentication of devices"),
            values={"apple-as-web": _("Web (apple-as-web)"), "apple-oauth2": _("OAuth 2 (apple-oauth2)")},
        ),
        Row(setting=options.REAUTHENTICATION, label=_("Ask enrolled devices to sign in again")),
        Row(setting=options.REAUTHENTICATION_DAYS, label=_("A sign-in holds for (days)")),
        Row(setting=options.SIGN_PROFILE, label=_("Sign enrollment profiles")),
        Row(setting=options.SIGN_MESSAGE, label=_("Devices sign their messages")),
    ),
)
AUDIT_LOGS: Final = Node(
    slug="audit-logs",
    label=_("Audit Logs"),
    page="settings-audit-logs",
    rows=(
        Row(setting=options.AUDIT_NOTES, label=_("Ask for a note on actions")),
        Row(setting=options.AUDIT_DAYS, label=_("Keep entries (days)")),
    ),
)
_SCHEDULES: Final[dict[str, str | Promise]] = {
    "off": _("Off"),
    "daily": _("Daily"),
    "weekly": _("Weekly"),
    "monthly": _("Monthly"),
}
RETIRED: Final = Node(
    slug="retired-devices",
    label=_("Delete Retired Devices"),
    page="settings-retired",
    rows=(
        Row(setting=options.RETIRED_DAYS, label=_("Older than (days)")),
        Row(setting=options.RETIRED_SCHEDULE, label=_("Delete them by themselves"), values=_SCHEDULES),
    ),
)
DUPLICATES: Final = Node(
    slug="duplicate-devices",
    label=_("Manage Duplicate Devices"),
    page="settings-duplicates",
    rows=(
        Row(setting=options.DUPLICATES_SCHEDULE, label=_("Look for duplicates"), values=_SCHEDULES),
        *(
            Row(
                setting=setting,
                label=platform,
                values={
                    "retire": _("Retire it"),
                    "unknown": _("Mark it as Unknown"),
                    "nothing": _("Do nothing"),
                },
            )
            for platform, setting in options.DUPLICATES.items()
        ),
    ),
)
GDPR: Final = Node(
    slug="gdpr-profile",
    label=_("GDPR Profile"),
    page="settings-gdpr",
    rows=(Row(setting=options.HIDDEN_FIELDS, label=_("Hidden fields"), values=dict(masking.FIELDS)),),
)
RIGHTS: Final[dict[str, str | Promise]] = {
    "1": _("1: See installed configuration profiles (always)"),
    "2": _("2: Install and remove configuration profiles (always)"),
    "4": _("4: Lock the device, remove its passcode"),
    "8": _("8: Erase the device"),
    "16": _("16: Ask for device information (always)"),
    "32": _("32: Ask for network information"),
    "64": _("64: See installed provisioning profiles"),
    "128": _("128: Install and remove provisioning profiles"),
    "256": _("256: See installed apps"),
    "512": _("512: Ask for restrictions"),
    "1024": _("1024: Ask for security information"),
    "2048": _("2048: Change settings"),
    "4096": _("4096: Manage apps"),
}
SYSTEM_IOS_MDM: Final = Node(  # under Policies & Configs > Configurations
    slug="system-ios-mdm",
    label="System - iOS MDM",
    page="configurations-system",
    rows=(
        Row(
            setting=options.ACCESS_RIGHTS,
            label=_("Access rights"),
            in_lists=True,
            values=RIGHTS,
        ),
    ),
)
MAIL: Final = Node(
    slug="mail",
    label=_("Outgoing mail"),
    page="settings-mail",
    rows=(
        Row(setting=mail_options.HOST, label=_("Mail server")),
        Row(setting=mail_options.PORT, label=_("Port")),
        Row(
            setting=mail_options.SECURITY,
            label=_("Encryption"),
            values={
                "starttls": _("STARTTLS"),
                "tls": _("TLS from the start"),
                "none": _("None: everybody on the way can read along"),
            },
        ),
        Row(setting=mail_options.USER, label=_("User")),
        Row(setting=mail_options.PASSWORD, label=_("Password")),
        Row(setting=mail_options.FROM, label=_("Sender")),
        Row(setting=mail_options.REPLY_TO, label=_("Answers go to")),
        Row(setting=mail_options.AUTHORITIES, label=_("Trusted authorities"), is_long=True),
    ),
)
ENTERPRISE: Final = Node(
    slug="enterprise",
    label=_("Enterprise"),
    page="settings-enterprise",
    rows=(Row(setting=options.ENTERPRISE_NAME, label=_("Enterprise Name")),),
)
TEXTS: Final = Node(
    slug="texts",
    label=_("Privacy and terms"),
    page="settings-texts",
    rows=(
        Row(setting=options.CONSENT_NOTICE, label=_("Notification Email ID")),
        Row(setting=options.ACCEPT_AGAIN, label=_("Ask again after a change")),
    ),
)
RULES: Final = Node(
    slug="rules",
    label=_("Enrollment rules"),
    page="settings-rules",
    rows=(
        Row(
            setting=options.LIMIT_PRECEDENCE,
            label=_("Device limit precedence"),
            values={"group": _("The limit of a group first"), "person": _("Per-User Device Limit first")},
        ),
        Row(
            setting=options.SEVERAL_LIMITS,
            label=_("Several groups with a limit"),
            values={"highest": _("The highest limit"), "first": _("The limit of the first rule")},
        ),
    ),
)
INVITATIONS: Final = Node(slug="invitations", label=_("Invitations"), page="settings-invitations")
CUSTOM_ATTRIBUTES: Final = Node(slug="attributes", label=_("Custom Attributes"), page="settings-attributes")
DOMAINS: Final = Node(slug="domains", label=_("Enrollment domains"), page="settings-domains")

# Settings whose pages are more than a form of this tree.
ELSEWHERE: Final = (
    options.ENROLLMENT_DOMAINS,
    options.DOMAIN_OFFERS,
    options.PRIVACY_PAGE,
    options.TERMS,
    options.ACCESS_RIGHTS,
)

_TREE: Final = (
    Group(
        _("General"),
        (
            ENTERPRISE,
            Node(
                slug="login",
                label=_("Login"),
                rows=(
                    Row(setting=options.LOGIN_TEXT, label=_("Login text"), is_long=True),
                    Row(setting=options.LOGIN_CONSENT, label=_("Ask for consent to the login text")),
                    Row(setting=options.SHOW_LAST_SIGN_IN, label=_("Last login information")),
                ),
            ),
            Node(
                slug="timeout",
                label=_("Timeout"),
                rows=(Row(setting=options.IDLE_MINUTES, label=_("Idle timeout (minutes)")),),
            ),
            AUDIT_LOGS,
            MAIL,
            Node(
                slug="webhooks",
                label="Webhooks",
                rows=(
                    Row(setting=options.WEBHOOK_GIVE_UP_DAYS, label=_("Switch off after (days)")),
                    Row(setting=options.WEBHOOK_LOG_DAYS, label=_("Keep deliveries (days)")),
                ),
            ),
        ),
    ),
    Group(
        _("Users & Devices"),
        (
            Node(
                slug="registration",
                label=_("Registration"),
                rows=(
                    Row(
                        setting=options.PIN_EXPIRY_HOURS,
                        label=_("Passcode Expiry (hours)"),
                        above_default=TIME_TO_MISUSE,
                    ),
                    Row(setting=options.PIN_LENGTH, label=_("Registration PIN Code Length")),
                    Row(setting=options.DEVICE_LIMIT, label=_("Per-User Device Limit")),
                    Row(setting=options.INVITATION_DAYS, label=_("Invitations end after (days)")),
                ),
            ),
            Node(
                slug="device-registration",
                label=_("Device Registration"),
                rows=(
                    Row(
                        setting=options.REQUIREMENT,
                        label=_("iOS (Apple) Web-Based Registration Requirement"),
                        values={
                            "password": _("Password"),
                            "pin": _("Registration PIN"),
                            "password_and_pin": _("Password and Registration PIN"),
                            "identity_provider": _("Identity provider"),
                        },
                    ),
                    Row(
                        setting=options.DEFAULT_OWNER,
                        label=_("Default owner"),
                        values={"COMPANY": _("Company"), "EMPLOYEE": _("Employee")},
                    ),
                    Row(setting=options.CHOOSE_OWNER, label=_("Users may choose the owner")),
                    Row(setting=options.ALLOWED_FAMILIES, label=_("Allowed kinds of device")),
                    Row(setting=options.MINIMUM_OS, label=_("Oldest allowed systems")),
                    Row(setting=options.QR_CODE, label=_("QR code registration")),
                    Row(setting=options.ALLOW_TAKEOVER, label=_("Allow takeover by another person")),
                ),
            ),
            RULES,
            RETIRED,
            DUPLICATES,
            GDPR,
            TEXTS,
            INVITATIONS,
            DOMAINS,
            CUSTOM_ATTRIBUTES,
        ),
    ),
    Group(
        _("iOS"),
        (
            IOS_MDM,
            Node(
                slug="commands",
                label=_("Commands & profiles"),
                rows=(
                    Row(setting=options.COMMAND_HISTORY_DAYS, label=_("Keep finished commands (days)")),
                    Row(setting=options.PROFILE_CHECK_HOURS, label=_("Check profiles again after (hours)")),
                    Row(setting=options.INVENTORY_HOURS, label=_("Ask for the inventory again after (hours)")),
                ),
            ),
        ),
    ),
    Group(
        _("Security"),
        (
            Node(
                slug="password-policy",
                label=_("Password Policy"),
                rows=(
                    Row(setting=options.PASSWORD_LENGTH, label=_("Minimum password length")),
                    Row(setting=options.PASSWORD_KINDS, label=_("Kinds of characters")),
                    Row(setting=options.PASSWORD_HISTORY, label=_("Password history")),
                    Row(setting=options.PASSWORD_DAYS, label=_("Passwords expire after (days)")),
                    Row(setting=limit_options.FAILED_ATTEMPTS, label=_("Failed attempts")),
                    Row(setting=limit_options.FAILED_WINDOW, label=_("Failed attempts within (minutes)")),
                    Row(setting=limit_options.AUTO_LOCK_SECONDS, label=_("Auto-Lock Time (seconds)")),
                    Row(setting=options.SESSIONS, label=_("Sessions of an administrator at once")),
                ),
            ),
            Node(
                slug="sign-in-limits",
                label=_("Limits of sign-ins"),
                rows=(
                    Row(setting=limit_options.ACCOUNT_ATTEMPTS, label=_("One account: failures at once")),
                    Row(setting=limit_options.ACCOUNT_ATTEMPTS_HOURLY, label=_("One account: an hour after that")),
                    Row(setting=limit_options.ADDRESS_ATTEMPTS, label=_("One address: failures at once")),
                    Row(setting=limit_options.ADDRESS_ATTEMPTS_HOURLY, label=_("One address: an hour after that")),
                    Row(setting=limit_options.STRANGER_ATTEMPTS, label=_("All strangers: failures at once")),
                    Row(setting=limit_options.STRANGER_ATTEMPTS_HOURLY, label=_("All strangers: an hour after that")),
                    Row(setting=limit_options.KNOWN_BROWSER_DAYS, label=_("Browsers are known for (days)")),
                    Row(setting=limit_options.KNOWN_NETWORK_DAYS, label=_("Addresses are known for (days)")),
                    Row(setting=limit_options.KNOWN_NETWORKS, label=_("Known addresses of one person")),
                    Row(setting=limit_options.PIN_REQUESTS, label=_("PINs asked for at once")),
                    Row(setting=limit_options.PIN_REQUESTS_HOURLY, label=_("PINs asked for: an hour after that")),
                ),
            ),
            Node(
                slug="api",
                label="API",
                rows=(
                    Row(setting=options.API_CALLS_PER_SECOND, label=_("Calls a second of each caller")),
                    Row(setting=options.API_WIPE_LIMIT, label=_("Devices that one call may wipe")),
                    Row(setting=options.API_UNLOCK_ON_GET, label=_("Unlock by GET in the V1 API")),
                ),
            ),
            Node(
                slug="scep",
                label=_("Certificate enrollment"),
                rows=(Row(setting=options.LEGACY_CIPHERS, label=_("Accept single DES from SCEP clients")),),
            ),
        ),
    ),
)


def tree() -> tuple[Group, ...]:
    general, *others = _TREE
    placed = {row.setting.name for group in _TREE for node in group.nodes for row in node.rows}
    placed |= {setting.name for setting in ELSEWHERE}
    rest = tuple(
        Row(setting=setting, label=name) for name, setting in settings_store.REGISTRY.items() if name not in placed
    )
    other = (Node(slug="other", label=_("Other"), rows=rest),) if rest else ()
    return (Group(general.label, (*general.nodes, *other)), *others)


def nodes() -> Iterator[Node]:
    for group in tree():
        yield from group.nodes


def find(slug: str) -> Node | None:
    """A page that is a form and nothing else."""
    return next((node for node in nodes() if node.slug == slug and not node.page), None)


def context(node: Node) -> dict[str, Any]:
    """What each page of the tree shows."""
    warnings = [row.warning for row in node.rows if row.warning]
    group = next((group for group in tree() if node in group.nodes), None)
    return {"tree": tree(), "node": node, "group": group, "warnings": warnings}
