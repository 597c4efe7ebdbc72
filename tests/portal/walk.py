"""Every page and every dialog of the portal, by their addresses: what is new is walked from its first day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from playwright.sync_api import Page

from devices.models import ActionRun, Broadcast, Command, Configuration, ConfigurationAssignment, Device, Label
from enrollment.models import Attempt, Invitation, PolicyText
from epmm.models import Webhook, WebhookDelivery
from epmm.portal import settings_tree
from tests.epmm.test_routes import routes
from tests.flows.house import HOST
from users.models import CustomAttribute, Directory, DirectoryEntry, Group, IdentityProvider, PeopleRun, User

PORTAL: Final = "portal:"
OK: Final = 200
ONLY_POST: Final = 405

# Where nothing is to be seen: what does something and leads elsewhere, gives a file, or renews a part of a page.
DEEDS: Final = frozenset(
    {
        "account-password",
        "account-sessions",
        "account-tokens-revoke",
        "admins-sessions",
        "api",  # Swagger's page, not ours
        "api-document",
        "api-style",
        "dashboard-alert",
        "dashboard-simulate",
        "dashboard-state",
        "configurations-assign",
        "configurations-unassign",
        "devices-command-cancel",
        "devices-search",
        "devices-search-count",
        "devices-search-fields",
        "devices-search-translate",
        "devices-statuses",
        "labels-criteria-count",
        "labels-criteria-fields",
        "labels-criteria-translate",
        "labels-save",
        "labels-sizes",
        "invitations-progress",
        "language",
        "logs-actions-people-file",
        "logs-actions-people-stop",
        "logs-actions-stop",
        "logs-audit-export",
        "logs-audit-exports-fetch",
        "services-accounts-check",
        "services-ldap-sync",
        "services-providers-test",  # it asks somebody who is not there
        "session",
        "sign-in-provider",
        "sign-in-provider-callback",
        "confirm-provider",
        "settings-audit-logs-check",
        "settings-domains-add",
        "settings-ios-mdm-request",
        "settings-ios-mdm-signed",
        "settings-invitations-delete",
        "settings-rules-delete",
        "settings-rules-move",
        "settings-rules-touched",
        "settings-texts-delete",
        "sign-out",
        "theme",
        "users-accepted",
        "users-invite-preview",
        "users-pin-file-fetch",
        "users-pin-file-state",
        "users-pin-revoke",
        "users-prospect",
        "users-roles-preview",
        "users-unlink",
    }
)
# Who has signed in is led elsewhere.
BEFORE: Final = frozenset({"second-factor", "new-password", "start", "settings"})
# Pages in a state of their own.
STATES: Final = (
    "devices?q=nothing-at-all",
    "devices?advanced=1",
    "devices?search=status+%3D+ACTIVE+AND+(os_version+%3E+17+OR+last_connected_at+%3E+now-3d)",
    "devices?search=retired+%3D+false+AND+serialnumbr+%3D+x",
    "devices?retired=1&columns=display_name,status,labels,country",
    "users?q=nothing-at-all",
    "users?to=ldap",
    "users?to=ldap&entities=group",
    "users?to=ldap&gone=1",
    "logs/audit?actor=nobody",
    "logs/enrollment?code=E-303",
    "users/{admins}",
)
# What an address needs to show something, besides the ticked row.
QUERIES: Final = {
    "settings-domains-offers": {"domain": HOST},
    "settings-domains-remove": {"domain": HOST},
    "settings-domains-show": {"domain": HOST, "what": "rules"},
    "settings-domains-test": {"domain": HOST},
    "settings-texts-edit": {"kind": "terms"},
    "settings-texts-preview": {"kind": "privacy", "mode": "own", "text": "We see your serial number."},
}
DIALOG: Final = b'id="dialog-title"'
CLOSE: Final = """() => {
  document.querySelector("dialog[open] [data-reload]")?.removeAttribute("data-reload"); // the page below is another's
  document.querySelector("dialog[open]")?.close();
}"""
OPEN: Final = "([verb, path, values]) => htmx.ajax(verb, path, {target: '#dialog', values})"


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    address: str
    verb: str = "GET"
    values: Mapping[str, str] = field(default_factory=dict)
    is_dialog: bool = False

    def open(self, page: Page, origin: str) -> None:
        """A dialog opens over whatever page is there."""
        if not self.is_dialog:
            page.goto(origin + self.address)
            return
        page.evaluate(CLOSE)
        page.evaluate(OPEN, [self.verb, self.address, dict(self.values)])
        page.wait_for_selector("dialog[open]:not(.htmx-settling) #dialog-title")


def places(client: Client) -> list[Place]:
    """Pages first, then the dialogs."""
    rows = _rows()
    found = [_seen(client, name, given, rows) for name, route in _routes() for given in _arguments(name, route, rows)]
    found += [Place(state, f"/admin/{state.format_map(rows)}") for state in STATES]
    return sorted(found, key=lambda place: place.is_dialog)


def _routes() -> Iterator[tuple[str, URLPattern]]:
    for name, route in routes(get_resolver().url_patterns):
        if name.startswith(PORTAL) and (short := name.removeprefix(PORTAL)) not in DEEDS | BEFORE:
            yield short, route


def _rows() -> Mapping[str, str]:
    """What pages and dialogs are about, by how their names begin; the longest beginning counts."""
    person = str(User.objects.get(user_id="anna").pk)
    device = Device.objects.filter(status=Device.Status.ACTIVE).latest("pk")
    return {
        "": "",
        "admins": str(User.objects.get(user_id="admin").pk),
        "devices": str(device.uuid),
        "devices-command": str(Command.objects.filter(channel__enrollment__device=device).latest("pk").pk),
        "configurations": str(Configuration.objects.get().pk),
        "configurations-unassign-ticked": str(ConfigurationAssignment.objects.latest("pk").pk),
        "invitations": str(Invitation.objects.latest("pk").pk),
        "labels": str(Label.objects.get(name="Sales").pk),
        "logs-actions": str(ActionRun.objects.latest("pk").pk),
        "logs-actions-people": str(PeopleRun.objects.latest("pk").pk),
        "logs-broadcasts": str(Broadcast.objects.latest("pk").pk),
        "logs-enrollment": str(Attempt.objects.exclude(last_code="").latest("pk").pk),
        "logs-queue": str(Command.objects.open().latest("pk").pk),
        "services-accounts": str(DirectoryEntry.objects.get().pk),
        "services-ldap": str(Directory.objects.get().pk),
        "services-providers": str(IdentityProvider.objects.get().pk),
        "services-webhooks": str(Webhook.objects.get().pk),
        "services-webhooks-delivery": str(WebhookDelivery.objects.get().pk),
        "services-webhooks-redeliver": str(WebhookDelivery.objects.get().pk),
        "settings-attributes": str(CustomAttribute.objects.get().pk),
        "texts": str(PolicyText.objects.latest("pk").pk),
        "users": person,
        "users-group": str(Group.objects.earliest("pk").pk),
    }


def _row(name: str, rows: Mapping[str, str], *, but: str | None = None) -> str:
    return rows[max((start for start in rows if name.startswith(start) and start != but), key=len)]


def _arguments(name: str, route: URLPattern, rows: Mapping[str, str]) -> list[dict[str, str]]:
    """What stands in its address: for the pages of a tree, all that may."""
    names = set(route.pattern.converters)
    if names == {"slug"}:
        return [{"slug": node.slug} for node in settings_tree.nodes() if not node.page]
    known = {"number": _row(name, rows), "uuid": _row(name, rows, but="devices-command")}
    return [{each: known[each] for each in names}]


def _seen(client: Client, name: str, given: Mapping[str, str], rows: Mapping[str, str]) -> Place:
    address, values = reverse(PORTAL + name, kwargs=dict(given)), QUERIES.get(name, {})
    response: Any = client.get(address, values)
    verb = "POST" if response.status_code == ONLY_POST else "GET"
    if verb == "POST":
        values = {"row": _row(name, rows), **values}
        response = client.post(address, values)
    elif values:
        address += f"?{urlencode(values)}"
    assert response.status_code == OK, f"{name}: {response.status_code}; if there is nothing to see, name it in DEEDS"
    if b"<html" in response.content:
        return Place(name, address)
    assert DIALOG in response.content, f"{name}: neither page nor dialog; if it is part of one, name it in DEEDS"
    return Place(name, address, verb, values, is_dialog=True)
