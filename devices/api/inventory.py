"""Installed apps both ways: of devices, and the devices that have one."""

from collections import defaultdict
from typing import Any, Final

from django.db.models import Q
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api import asked, rows
from devices.models import Device, InstalledApplication
from devices.services import record_pages, search
from devices.services.record_pages import BY_ID
from epmm.api import envelope
from epmm.api.errors import bad_parameter
from epmm.api.paging import Window
from users.api.base import ApiView

MOST: Final = 200
FIELDS: Final = (
    "common.uuid",
    "common.id",
    "common.platform_name",
    "common.model",
    "user.user_id",
    "user.display_name",
)


class OfDevices(ApiView):
    """`devices/appinventory`: an element for each device that is there."""

    told_parameters = frozenset({"wifimacs"})

    def get(self, _request: Request) -> Response:
        devices = self._devices()
        found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        installed = InstalledApplication.objects.filter(device__in=devices).order_by("device_id", "name", "pk")
        for app in installed.defer("details"):
            found[app.device_id].append(_app(app))
        results = [{"common.uuid": str(device.uuid), "appInventory": found[device.pk]} for device in devices]
        return Response(envelope.page(results, total=len(results), has_more=False))

    def _devices(self) -> list[Device]:
        """In the order in which they were named."""
        macs = self.parameters.several("wifimacs")
        if not macs:
            uuids = asked.uuids(self.parameters, MOST)
            known = asked.known(uuids)
            return [known[uuid.lower()] for uuid in uuids if uuid.lower() in known]
        if len(macs) > MOST:
            raise bad_parameter("wifimacs", _("At most {n} devices are asked for at once.").format(n=MOST))
        return list(asked.with_macs(macs).order_by("pk"))


class OfApp(ApiView):
    """`appinventory/devices`: by the identifier of an app, or its name."""

    told_parameters = frozenset({"bundleId", "identifier", "name", "version"})

    def get(self, _request: Request) -> Response:
        window, apps = Window.read(self.parameters), self._apps()
        found = Device.objects.filter(pk__in=apps.values("device")).defer("details")
        name = (self.person.pk, "app", str(apps.query))
        page = record_pages.page(found, name=name, order=BY_ID, offset=window.offset, limit=window.limit)
        fields = self.parameters.several("fields") or FIELDS
        wanted = rows.wanted(fields, search.registry(fields or [rows.OF_DEVICE]))
        results = rows.rows(page.rows, wanted)
        return Response(envelope.page(results, total=page.total, has_more=page.has_more, messages=wanted.messages()))

    def _apps(self) -> Any:
        identifier = self.parameters.text("bundleId", longest=255) or self.parameters.text("identifier", longest=255)
        name = self.parameters.text("name", longest=255)
        if not identifier and not name:
            raise bad_parameter("bundleId", _("bundleId or name says which app is meant."))
        condition = Q(identifier=identifier) if identifier else Q(name__iexact=name)
        if version := self.parameters.text("version", longest=64):
            condition &= Q(version=version) | Q(short_version=version)
        return InstalledApplication.objects.filter(condition)


def _app(app: InstalledApplication) -> dict[str, Any]:
    return {
        "name": app.name,
        "version": app.short_version or app.version,
        "bundleVersion": app.version,
        "bundleId": app.identifier,
        "identifier": app.identifier,
        "size": app.bundle_size,
        "dynamicSize": app.dynamic_size,
    }
