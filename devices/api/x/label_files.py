"""Labels as a file: brought in, after a look at what would change, and taken out."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from devices.models import Label
from devices.services import label_files
from epmm.api import cursors
from epmm.api.fields import Told
from epmm.portal.keyset import Order
from users.api.x.base import Listed
from users.api.x.imports import Imports, NewImport


class NewLabels(NewImport):
    example = {"format": "csv", "content": "name,kind,criteria\nOld,filter,common.os_version < 18\n", "dry_run": True}


class ImportLabels(Imports):
    says = {"POST": "Bring in labels: all rows of a file, or none, or a look at what would become of them."}
    takes = {"POST": NewLabels}
    run = staticmethod(label_files.run)


class ExportedLabel(Told):
    """As a row of an import."""

    example = {
        "name": "Old", "description": "", "kind": "filter", "criteria": "common.os_version < 18", "devices": [],
    }  # fmt: skip
    name = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.ChoiceField(Label.Kind.choices)
    criteria = serializers.CharField()
    devices = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Of a manual one, by their UUIDs; told to those who may view devices.",
    )


class ExportedLabels(Listed[Label]):
    """A label may have all devices: no more than some thousand are in memory."""

    says = {"GET": "Labels, as an import takes them."}
    orders = {"": Order("pk")}
    item = ExportedLabel

    def rows(self) -> QuerySet[Label]:
        return Label.objects.all()

    def get(self, request: Request, **_place: Any) -> StreamingHttpResponse:
        labels, following = self.page(request)
        # without the column nothing is said of devices: who brings the file in again takes none away
        sees_devices = label_files.NEEDED[label_files.DEVICES] in self.roles
        found = label_files.with_devices(labels) if sees_devices else ((label, None) for label in labels)
        headers = cursors.link(following)
        return StreamingHttpResponse(_written(found, following), content_type="application/json", headers=headers)


def _written(found: Iterable[tuple[Label, Iterable[list[str]] | None]], following: str | None) -> Iterator[str]:
    yield '{"items": ['
    for number, (label, devices) in enumerate(found):
        row = json.dumps({"name": label.name, **label_files.told(label)}, ensure_ascii=False)
        yield "," * bool(number) + row.removesuffix("}")
        if devices is not None:
            yield ', "devices": ['
            yield from ("," * bool(place) + json.dumps(some)[1:-1] for place, some in enumerate(devices))
            yield "]"
        yield "}"
    yield f'], "next": {json.dumps(following)}}}'
