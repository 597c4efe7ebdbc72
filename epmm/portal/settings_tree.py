"""Settings > System Settings: which setting stands on which page, under the name an EPMM administrator knows.

A setting that has no place here appears under General > Other, so that none is out of reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from epmm import options, settings_store
from epmm.settings_store import Setting

TIME_TO_MISUSE: Final = _("A PIN that stays valid longer than {default} hours is easier to misuse.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    setting: Setting[Any]
    label: str | Promise
    is_long: bool = False  # a text of several lines
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
        Row(setting=options.ADDE, label=_("Enable Account Driven Device Enrollment")),
        Row(setting=options.AAUE, label=_("Enable Account Driven User Enrollment")),
        Row(
            setting=options.MACHINE_INFO_SIGNATURE,
            label=_("First message without Apple's signature"),
            values={"off": _("Not checked"), "log": _("Accepted, and noted in the log"), "require": _("Refused")},
        ),
        Row(setting=options.SIGN_PROFILE, label=_("Sign enrollment profiles")),
        Row(setting=options.SIGN_MESSAGE, label=_("Devices sign their messages")),
    ),
)
TEXTS: Final = Node(slug="texts", label=_("Privacy and terms"), page="settings-texts")
CUSTOM_ATTRIBUTES: Final = Node(slug="attributes", label=_("Custom Attributes"), page="settings-attributes")
DOMAINS: Final = Node(slug="domains", label=_("Enrollment domains"), page="settings-domains")

_TREE: Final = (
    Group(
        _("General"),
        (
            Node(
                slug="enterprise",
                label=_("Enterprise"),
                rows=(Row(setting=options.ENTERPRISE_NAME, label=_("Enterprise Name")),),
            ),
            Node(
                slug="login",
                label=_("Login"),
                rows=(
                    Row(setting=options.LOGIN_TEXT, label=_("Login text"), is_long=True),
                    Row(setting=options.SHOW_LAST_SIGN_IN, label=_("Last login information")),
                ),
            ),
            Node(
                slug="timeout",
                label=_("Timeout"),
                rows=(Row(setting=options.IDLE_MINUTES, label=_("Idle timeout (minutes)")),),
            ),
            Node(
                slug="audit-logs",
                label=_("Audit Logs"),
                rows=(Row(setting=options.AUDIT_DAYS, label=_("Keep entries (days)")),),
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
                ),
            ),
            Node(
                slug="device-registration",
                label=_("Device Registration"),
                rows=(
                    Row(
                        setting=options.REQUIREMENT,
                        label=_("Registration Requirement"),
                        values={
                            "password": _("Password"),
                            "pin": _("Registration PIN"),
                            "password_and_pin": _("Password and Registration PIN"),
                        },
                    ),
                    Row(setting=options.ALLOWED_FAMILIES, label=_("Allowed kinds of device")),
                    Row(setting=options.MINIMUM_OS, label=_("Oldest allowed systems")),
                    Row(setting=options.ALLOW_TAKEOVER, label=_("Allow takeover by another person")),
                ),
            ),
            TEXTS,
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
                    Row(setting=options.FAILED_ATTEMPTS, label=_("Failed attempts")),
                    Row(setting=options.AUTO_LOCK_SECONDS, label=_("Auto-Lock Time (seconds)")),
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
    placed |= {setting.name for setting in (options.ENROLLMENT_DOMAINS, options.PRIVACY_PAGE, options.TERMS)}
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
