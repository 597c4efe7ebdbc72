"""Settings, by their dotted names; each as its own reader takes it.  Of a secret only whether there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from epmm import advisory, settings_store
from epmm.api import problems
from epmm.api.errors import ApiError
from epmm.api.fields import Given, Told
from epmm.client_address import client_address
from epmm.models import SettingRow
from epmm.portal import settings_tree
from epmm.portal.settings_form import LONGEST
from epmm.settings_store import Choice, Flag, InvalidSetting, Number, Secret, Setting, Several
from users.api.x.base import All, One

VALUE: Final = {
    "oneOf": [
        {"type": "string", "maxLength": LONGEST},
        {"type": "boolean"},
        {"type": "integer"},
        {"type": "array", "items": {"type": "string"}},
    ]
}
KINDS: Final = ("flag", "number", "choice", "several", "secret", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    setting: Setting[Any]
    label: str
    page: str
    changed_at: datetime | None
    changed_by: str

    @property
    def is_secret(self) -> bool:
        return isinstance(self.setting.shape, Secret)

    @property
    def can_change(self) -> bool:
        return bool(self.page)

    @property
    def kind(self) -> str:
        kinds = {Flag: "flag", Number: "number", Choice: "choice", Several: "several", Secret: "secret"}
        return kinds.get(type(self.setting.shape), "text")

    @property
    def value(self) -> Any:
        return None if self.is_secret else _json(settings_store.read(self.setting))

    @property
    def default(self) -> Any:
        return None if self.is_secret else _json(self.setting.default)

    @property
    def is_set(self) -> bool:
        return bool(settings_store.read(self.setting)) if self.is_secret else self.changed_at is not None

    @property
    def values(self) -> list[str]:
        return list(getattr(self.setting.shape, "values", ()))


@extend_schema_field(VALUE)
class Value(serializers.Field[Any, Any, Any, Any]):
    """As the setting's own reader takes it, written."""

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, list) and all(isinstance(each, str) for each in data):
            data = ",".join(data)
        text = {True: "on", False: "off"}[data] if isinstance(data, bool) else data
        text = str(text) if isinstance(text, int) else text
        if not isinstance(text, str) or len(text) > LONGEST:
            raise serializers.ValidationError(_("A text, a number, true or false, a list of texts, or null."))
        serializers.CharField(allow_blank=True).run_validation(text)  # no NUL, no half characters
        return text.replace("\r\n", "\n")

    def to_representation(self, value: Any) -> Any:
        return value


class SettingTold(Told):
    example = {
        "name": "registration.pin_length",
        "label": "Registration PIN Code Length",
        "page": "registration",
        "kind": "number",
        "value": 6,
        "default": 6,
        "set": False,
        "values": [],
        "accepts": "6..12",
        "help": "How many digits a registration PIN has.",
        "can_change": True,
        "changed_at": None,
        "changed_by": "",
    }
    name = serializers.CharField(source="setting.name")
    label = serializers.CharField()  # type: ignore[assignment] # the framework has the name, too
    page = serializers.CharField(help_text="Of the portal; empty: it has a resource or a page of its own.")
    kind = serializers.ChoiceField(KINDS)
    value = Value(allow_null=True, help_text="Null for a secret, and for a setting that is none.")
    default = Value(allow_null=True)
    set = serializers.BooleanField(
        source="is_set", help_text="Whether somebody has set it; of a secret, whether there is one."
    )
    values = serializers.ListField(child=serializers.CharField(), help_text="Of a choice.")
    accepts = serializers.CharField(source="setting.accepts")
    help = serializers.CharField(source="setting.help")
    can_change = serializers.BooleanField()
    changed_at = serializers.DateTimeField(allow_null=True)
    changed_by = serializers.CharField()


class NewValue(Given):
    example = {"value": 8}
    value = Value(allow_null=True)


class Settings(All):
    says = {"GET": "All settings."}
    item = SettingTold

    def items(self) -> Sequence[Shown]:
        rows = SettingRow.objects.in_bulk()
        return [_shown(setting, rows.get(name)) for name, setting in sorted(settings_store.REGISTRY.items())]


class OneSetting(One[Shown]):
    says = {"GET": "One setting.", "PUT": "Set it, as its page in the portal would."}
    takes = {"PUT": NewValue}
    tells = {"GET": SettingTold, "PUT": SettingTold}
    tagged = frozenset({"GET", "PUT"})
    matched = frozenset({"PUT"})
    fails = {"PUT": (409,)}

    def row(self, *, locked: bool, name: str) -> Shown:  # type: ignore[override] # its own place
        setting = settings_store.REGISTRY.get(name)
        if setting is None:
            raise Http404
        if locked:
            advisory.hold(f"setting/{name}")  # there may be no row yet
            settings_store.clear_cache()
        return _shown(setting, SettingRow.objects.filter(name=name).first())

    def state(self, row: Shown) -> Sequence[Any]:
        return (row.setting.name, row.value, row.is_set, row.changed_at)

    def put(self, _request: Request, name: str) -> Response:
        return self.changed(name=name)

    def edit(self, row: Shown) -> None:
        if not row.can_change:
            raise ApiError(409, "setting.elsewhere", _("This has a page or a resource of its own, and is set there."))
        try:
            text = "none" if self.given["value"] is None else self.given["value"]
            address = client_address(self.request._request)
            settings_store.change(row.setting.name, text, actor=self.actor, address=address)
        except InvalidSetting as error:
            sentence = _("This value is not possible. Accepted: %(values)s.") % {"values": error}
            raise problems.invalid_fields({"value": [sentence]}) from error


def _shown(setting: Setting[Any], row: SettingRow | None) -> Shown:
    label, page = _placed().get(setting.name, (setting.name, ""))
    return Shown(
        setting=setting,
        label=label,
        page=page,
        changed_at=row.changed_at if row else None,
        changed_by=row.changed_by if row else "",
    )


def _placed() -> dict[str, tuple[str, str]]:
    nodes = [*settings_tree.nodes(), settings_tree.SYSTEM_IOS_MDM]
    return {row.setting.name: (str(row.label), node.slug) for node in nodes for row in node.rows}


def _json(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case tuple() | list() | frozenset() | set():
            return [str(each) for each in value]
        case _:
            return str(value)
