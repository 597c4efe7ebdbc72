"""Devices & Users > Devices (portal specification, section 5)."""

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Final, TypeAlias
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from devices.models import Device, Label
from devices.search.language import LONGEST
from devices.services import listing, long_expressions, search
from devices.services.actions import ACTIONS, Action
from devices.services.field_values import model_of
from devices.services.search import SORTS, SearchRefused
from devices.views.builder import Builder, written
from devices.views.wording import owner_of, status_badge, system_of
from epmm.country_names import NAMES
from epmm.portal.keyset import Page
from epmm.portal.lists import COUNT_CAP, LONGEST_SEARCH, SIZES, Cell, Column, Link, Listing, View, counted
from epmm.portal.lists import Action as MenuItem
from users import permissions
from users.models import AdminRole, User

MANUFACTURER: Final = "Apple"
MUCH: Final = 1_000  # characters of an expression beside which fewer devices are shown
KEPT: Final = ("columns", "sort", "size")  # of the address, by another search
NARROWING: Final = ("search", "status", "label", "user")  # of the address, beside the search box
PLACE: Final = ("status", "after", "before", "format", "open")  # of the address, gone with another status
BY_TIME: Final = (SORTS["common.last_connected_at"], SORTS["common.registration_date"])
FEW: Final = 1_000
Asked: TypeAlias = Mapping[str, str]
Address: TypeAlias = Callable[..., str]


def _name(device: Device) -> Cell:
    address = reverse("portal:devices-details", args=[device.uuid])
    return Link(device.user.display_name, address, has_panel=True)


def _labels(device: Device) -> Cell:
    return ", ".join(label.name for label in device.labels.all())


LISTING: Final = Listing[Device](
    name="devices",
    title=gettext_lazy("Devices"),
    columns=(
        Column(key="display_name", label=gettext_lazy("Display name"), value=_name, order=SORTS["user.display_name"]),
        Column(
            key="device_name",
            label=gettext_lazy("Device name"),
            value=lambda device: device.device_name,
            order=SORTS["ios.DeviceName"],
        ),
        Column(
            key="phone_number", label=gettext_lazy("Current phone number"), value=lambda device: device.phone_number
        ),
        Column(key="model", label=gettext_lazy("Model"), value=model_of),
        Column(
            key="manufacturer", label=gettext_lazy("Manufacturer"), value=lambda _device: MANUFACTURER, is_shown=False
        ),
        Column(
            key="platform",
            label=gettext_lazy("Platform name"),
            value=lambda device: system_of(device).replace(" ", "\N{NO-BREAK SPACE}"),
            told=system_of,
        ),
        Column(
            key="country",
            label=gettext_lazy("Home country"),
            value=lambda device: NAMES.get(device.home_country, device.home_country),
            is_shown=False,
        ),
        Column(key="status", label=gettext_lazy("Status"), value=lambda device: status_badge(device, is_live=True)),
        Column(
            key="registered",
            label=gettext_lazy("Registration date"),
            value=lambda device: device.registered_at,
            order=SORTS["common.registration_date"],
        ),
        Column(
            key="seen",
            label=gettext_lazy("Last check-in"),
            value=lambda device: device.last_seen_at,
            order=SORTS["common.last_connected_at"],
        ),
        Column(key="owner", label=gettext_lazy("Owner"), value=owner_of),
        Column(
            key="operator",
            label=gettext_lazy("Operator"),
            value=lambda device: device.home_carrier or device.current_carrier,
            is_shown=False,
        ),
        Column(key="language", label=gettext_lazy("Language"), value=lambda device: device.language, is_shown=False),
        Column(
            key="enrollment_type",
            label=gettext_lazy("Enrollment type"),
            value=lambda device: device.get_enrollment_type_display(),
            is_shown=False,
        ),
        Column(
            key="serial",
            label=gettext_lazy("Serial number"),
            value=lambda device: device.serial_number,
            order=SORTS["common.SerialNumber"],
        ),
        Column(
            key="account",
            label=gettext_lazy("Managed Apple Account"),
            value=lambda device: device.managed_apple_account,
            is_shown=False,
        ),
        Column(key="user", label=gettext_lazy("User ID"), value=lambda device: device.user.user_id, is_shown=False),
        Column(key="labels", label=gettext_lazy("Labels"), value=_labels, is_shown=False),
    ),
    sorted_by="display_name",
    find=listing.named,
    search_hint=gettext_lazy("Name, serial number, user, account"),
    empty=gettext_lazy("No device matches. Devices appear here as soon as a person signs in on one."),
    sizes=SIZES[:2],
    keys=lambda device: str(device.uuid),
    reading=search.patiently,
)
MOST_POLLED: Final = max(LISTING.sizes)


class Devices(View[Device]):
    """Few that are found are put in order then: to them leads what was asked for, and no index of an order."""

    def __init__(self, request: HttpRequest, everything: QuerySet[Device], expression: str) -> None:
        asked = request.GET.dict()
        super().__init__(LISTING, request, _with_what_is_shown(everything, asked))
        self._is_narrowed = bool(self.text) or any(asked.get(name) for name in NARROWING)
        self._shape = partial(_with_what_is_shown, asked=asked)
        if "size" not in asked and len(expression) > MUCH:
            self.size = SIZES[0]

    def page(self) -> Page[Device]:
        if self._is_narrowed and len(self._found) <= FEW:
            return self.page_of(self._shape(Device.objects.filter(pk__in=self._found)))
        if not self._is_narrowed and self._asked.get("retired") == "1" and self.order.column in BY_TIME:
            return self.page_of_parts(listing.parts(self.queryset))
        return super().page()

    def count(self) -> str:
        return counted(len(self._found)) if self._is_narrowed else super().count()

    @cached_property
    def _found(self) -> list[int]:
        """As many as are counted."""
        found = self.queryset.order_by().prefetch_related(None).values_list("pk", flat=True)
        return list(found[: COUNT_CAP + 1])


def chosen(asked: Asked) -> QuerySet[Device]:
    """What an address of this page lists, its search box left out.  Raises SearchRefused."""
    return _selected(asked, _expression(asked))


def _selected(asked: Asked, expression: str) -> QuerySet[Device]:
    return listing.Selection(
        expression=expression,
        status=asked.get("status", ""),
        label=_number(asked.get("label", "")),
        person=_number(asked.get("user", "")),
        with_retired=asked.get("retired") == "1",
    ).devices()


def matching(asked: Asked) -> QuerySet[Device]:
    """What an address of this page lists, on whatever page; nothing where it is not understood."""
    text = asked.get("q", "")[:LONGEST_SEARCH].strip()
    try:
        return listing.named(chosen(asked), text)
    except SearchRefused:
        return Device.objects.none()


@require_safe
def devices(request: HttpRequest) -> HttpResponseBase:
    asked = request.GET.dict()
    refused = expression = ""
    if (short := long_expressions.shortened(asked.get("search", "")[: LONGEST + 1])) != asked.get("search", ""):
        return redirect(f"{request.path}?{urlencode(asked | {'search': short})}")
    try:
        expression = _expression(asked)
        view = Devices(request, _selected(asked, expression), expression)
        if asked.get("format") == "csv":
            return view.csv()
        context = view.context()
    except SearchRefused as error:
        refused = str(error)
        view = Devices(request, Device.objects.none(), expression)
        context = view.context()
    shown = [device.pk for device in view.shown]
    poll = {"poll": _poll_address(shown, _seen(view.shown))} if shown else {}
    context["may_add"] = permissions.may_open(request, "devices-add")
    context |= _filters(asked, view.address) | _advanced_search(request, view.address, expression, refused)
    context |= poll
    actions = [menu_item(request, action) for action in ACTIONS]
    panel = _opened(asked.get("open", ""))
    return render(request, "portal/devices.html", context | {"actions": actions, "panel": panel})


@require_http_methods(["GET", "HEAD", "POST"])
def search_again(request: HttpRequest) -> HttpResponse:
    """What the form of Advanced Search says, as an address of the list."""
    given = request.POST if request.method == "POST" else request.GET
    expression = written(given.get("search", "")).strip()
    asked = {name: given.get(name, "") for name in KEPT} | {
        "search": long_expressions.shortened(expression[: LONGEST + 1]),
        "retired": "" if "standing" in given else "1",
        "advanced": "" if expression else "1",
    }
    query = urlencode({name: value for name, value in asked.items() if value})
    address = f"{reverse('portal:devices')}?{query}"
    is_htmx = "HX-Request" in request.headers
    return HttpResponse(status=204, headers={"HX-Redirect": address}) if is_htmx else redirect(address)


@require_safe
def statuses(request: HttpRequest) -> HttpResponse:
    """The status cells of the devices on a page; nothing while they stay as they are."""
    ids = [int(text) for text in request.GET.get("ids", "").split(".") if text.isdecimal() and len(text) < 19]  # noqa: PLR2004
    shown = list(
        Device.objects.filter(pk__in=ids[:MOST_POLLED]).only("uuid", "status", "retired_reason", "unreachable_since")
    )
    seen = _seen(shown)
    if seen == request.GET.get("seen", ""):
        return HttpResponse(status=204)
    badges = [status_badge(device, is_live=True) for device in shown]
    return render(
        request, "portal/device_statuses.html", {"badges": badges, "poll": _poll_address(ids[:MOST_POLLED], seen)}
    )


def menu_item(request: HttpRequest, action: Action) -> MenuItem:
    """Greyed for who may not."""
    missing = _("Needs the role “{role}”.").format(role=AdminRole(action.role).label)
    return MenuItem(
        label=action.label,
        name=f"devices-{action.key}",
        icon=action.icon,
        is_dangerous=action.is_dangerous,
        why_not="" if permissions.may(request, action.role) else missing,
    )


def _opened(key: str) -> str:
    """What is open beside the list, when the address says so."""
    uuid = listing.by_uuid([key]).values_list("uuid", flat=True).first() if key else None
    return reverse("portal:devices-panel", args=[uuid]) if uuid else ""


def _poll_address(ids: list[int], seen: str) -> str:
    query = urlencode({"ids": ".".join(map(str, ids)), "seen": seen})
    return f"{reverse('portal:devices-statuses')}?{query}"


def _seen(shown: list[Device]) -> str:
    told = [f"{device.pk}{device.status}{device.unreachable_since is None}" for device in sorted(shown, key=_key)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _key(device: Device) -> int:
    return device.pk


def _filters(asked: Asked, address: Address) -> dict[str, object]:
    status = asked.get("status", "")
    label, person = _number(asked.get("label", "")), _number(asked.get("user", ""))
    with_retired = asked.get("retired") == "1"
    return {
        "status_choices": [("", _("Any status")), *Device.Status.choices],
        # a form: what is searched for would be written into as many addresses
        "status_kept": [(name, value) for name, value in asked.items() if value and name not in PLACE],
        "status": status if status in Device.Status.values else "",
        "status_text": dict(Device.Status.choices).get(status, _("Any status")),
        "label": None if label is None else Label.objects.filter(pk=label).first(),
        "without_label": address(label=""),
        "person": User.objects.filter(pk=person).first()
        if (person := _number(asked.get("user", ""))) is not None
        else None,
        "without_person": address(user=""),
        "excludes_retired": not with_retired,
        "retired_address": address(retired="" if with_retired else "1"),
    }


def _advanced_search(request: HttpRequest, address: Address, expression: str, refused: str) -> dict[str, object]:
    """Advanced Search, open where the address says so; `refused`: why nothing is listed."""
    asked = request.GET.dict()
    is_open = bool(expression) or asked.get("advanced") == "1"
    close: dict[str, object] = {
        "search_address": address(advanced="1"),
        "close_address": address(advanced="", search=""),
    }
    if not is_open:
        return close | {"refused": refused}
    builder = Builder.of_text("search", expression)
    return close | {
        "is_open": True,
        "is_filtered": bool(expression),
        "refused": "" if builder.mistake else refused,
        "clear_address": address(advanced="1", search="", retired=""),
        "search_kept": [(name, asked[name]) for name in KEPT if asked.get(name)],
        "may_save": permissions.may(request, AdminRole.LABEL_MANAGE),
        **builder.context("" if expression else "0"),
    }


def _with_what_is_shown(rows: QuerySet[Device], asked: Asked) -> QuerySet[Device]:
    columns = asked.get("columns", "").split(",")
    return rows.defer("details").prefetch_related("user", *(["labels"] if "labels" in columns else []))


def _expression(asked: Asked) -> str:
    """Raises SearchRefused."""
    return long_expressions.whole(written(asked.get("search", "")))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004
