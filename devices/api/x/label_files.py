"""Labels as a file: brought in, after a look at what would change, and taken out."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from devices.models import Label
from devices.services import label_files
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
    devices = serializers.ListField(child=serializers.CharField(), help_text="Of a manual one, by their UUIDs.")


class ExportedLabels(Listed[Label]):
    says = {"GET": "Labels, as an import takes them."}
    orders = {"": Order("name")}
    item = ExportedLabel

    def rows(self) -> QuerySet[Label]:
        return Label.objects.all()

    def told(self, rows: Any) -> list[dict[str, Any]]:
        return label_files.listed(rows)
