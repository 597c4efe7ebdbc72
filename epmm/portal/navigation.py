"""Tabs and pages of the Admin Portal, as EPMM's administrators know them (portal specification, section 1)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from epmm import masking, options, settings_store

PORTAL: Final = "portal"
THEMES: Final = ("light", "dark")
THEME_COOKIE: Final = "epmm-theme"


@dataclass(frozen=True, slots=True)
class Page:
    """`name` is that of its address in the namespace `portal`; pages below it say so by their prefix."""

    label: str | Promise
    name: str

    def is_open(self, here: str) -> bool:
        return here == self.name or here.startswith(f"{self.name}-")


@dataclass(frozen=True, slots=True)
class Tab:
    label: str | Promise
    pages: tuple[Page, ...]


TABS: Final = (
    Tab(_("Dashboard"), (Page(_("Dashboard"), "dashboard"),)),
    Tab(
        _("Devices & Users"),
        (
            Page(_("Devices"), "devices"),
            Page(_("Users"), "users"),
            Page(_("Invitations"), "invitations"),
            Page(_("Labels"), "labels"),
        ),
    ),
    Tab(_("Admin"), (Page(_("Admins"), "admins"), Page(_("API"), "api"))),
    Tab(_("Policies & Configs"), (Page(_("Configurations"), "configurations"),)),
    Tab(
        _("Services"),
        (
            Page(_("Overview"), "services-overview"),
            Page("LDAP", "services-ldap"),
            Page(_("Identity providers"), "services-providers"),
            Page(_("Managed Apple Accounts"), "services-accounts"),
            Page(_("Certificates"), "services-certificates"),
            Page("Webhooks", "services-webhooks"),
        ),
    ),
    Tab(_("Settings"), (Page(_("System Settings"), "settings"),)),
    Tab(
        _("Logs"),
        (
            Page(_("Audit Logs"), "logs-audit"),
            Page(_("Enrollment log"), "logs-enrollment"),
            Page(_("MDM command queue"), "logs-queue"),
            Page(_("Broadcasts"), "logs-broadcasts"),
            Page(_("Actions"), "logs-actions"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class ShownTab:
    label: str | Promise
    name: str  # of the first page that this administrator may open
    is_open: bool
    pages: tuple[Page, ...]


def shown(may_open: Callable[[str], bool], here: str) -> Iterator[ShownTab]:
    """Tabs with something in them for this administrator, and the pages of the open one."""
    for tab in TABS:
        if pages := tuple(page for page in tab.pages if may_open(page.name)):
            yield ShownTab(tab.label, pages[0].name, any(page.is_open(here) for page in pages), pages)


def _last_sign_in(request: HttpRequest) -> datetime | None:
    at, _address = request.session.get("previous_sign_in", ("", None))
    return datetime.fromisoformat(at) if at else None


def context(request: HttpRequest) -> dict[str, Any]:
    """What each page of the portal shows around its own content."""
    match = request.resolver_match
    if match is None or match.app_name != PORTAL:
        return {}
    here = match.url_name or ""
    may_open: Callable[[str], bool] = getattr(request, "may_open", lambda _name: False)
    tabs = tuple(shown(may_open, here))
    open_tab = next((tab for tab in tabs if tab.is_open), None)
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "tabs": tabs,
        "here": here,
        "open_tab": open_tab,
        "open_page": next((page.name for page in open_tab.pages if page.is_open(here)), "") if open_tab else "",
        "theme": theme if theme in THEMES else "",
        "idle_seconds": settings_store.read(options.IDLE_MINUTES) * 60,
        "hidden_fields": [label for key, label in masking.FIELDS.items() if key in masking.hidden()],
        "asks_note": settings_store.read(options.AUDIT_NOTES),
        "last_sign_in": _last_sign_in(request),
    }
