"""One form for any settings: each field as its setting's shape asks, each value read by the setting's own parser."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.db import transaction
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from epmm import settings_store
from epmm.portal.settings_tree import Node, Row
from epmm.settings_store import Choice, Flag, InvalidSetting, Number, Secret, Several

LONGEST: Final = 20_000
LONG_LINES: Final = 8
OFF: Final = {"autocomplete": "off"}  # what a browser knows of its user is no setting


class _Line(forms.CharField):
    """Lines end as they do in the database, whatever the browser makes of them: else each text would seem changed."""

    def to_python(self, value: Any) -> Any:
        typed = super().to_python(value)
        return typed.replace("\r\n", "\n") if isinstance(typed, str) else typed


class _TwoLists(forms.CheckboxSelectMultiple):
    """**Available** and **Selected**; boxes, so that no script is needed."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        del renderer
        context = self.get_context(name, value, attrs)
        options = [option for _group, options, _index in context["widget"]["optgroups"] for option in options]
        available = [option for option in options if not option["selected"]]
        lists = (_("Available"), available), (_("Selected"), [each for each in options if each["selected"]])
        return render_to_string("portal/two_lists.html", context | {"lists": lists})


class SettingsForm(forms.Form):
    """Writes what was changed since the page was shown, so that two administrators do not undo each other's work."""

    def __init__(self, node: Node, data: Mapping[str, Any] | None = None, *, is_read_only: bool = False) -> None:
        super().__init__(data)
        self._settings = {row.setting.name: row.setting for row in node.rows}
        for row in node.rows:
            self.fields[row.setting.name] = _field(row, is_read_only=is_read_only)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in set(self.changed_data) & given.keys():
            try:
                self._settings[name].parse(_text(given[name]))
            except InvalidSetting as error:
                self.add_error(name, _("This value is not possible. Accepted: %(values)s.") % {"values": error})
        return given

    def save(self, *, actor: str, address: str | None) -> list[str]:
        """The names of what was changed."""
        with transaction.atomic():
            for name in self.changed_data:
                settings_store.change(name, _text(self.cleaned_data[name]), actor=actor, address=address)
        return self.changed_data


def _text(value: str | bool | list[str]) -> str:  # noqa: FBT001 - one of three kinds of value, not a switch
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(value)
    return value.strip()


def _field(row: Row, *, is_read_only: bool) -> forms.Field:
    setting = row.setting
    common: dict[str, Any] = {"label": row.label, "required": False, "disabled": is_read_only, "help_text": _help(row)}
    common["show_hidden_initial"] = not is_read_only
    if setting.shape == Flag():
        return forms.BooleanField(initial=settings_store.read(setting), **common)
    if isinstance(setting.shape, Secret):
        return _secret(row, common)
    if isinstance(setting.shape, Several):
        choices = [(value, row.values.get(value, value)) for value in setting.shape.values]
        initial = list(settings_store.read(setting))
        widget = _TwoLists if row.in_lists else forms.CheckboxSelectMultiple
        return forms.MultipleChoiceField(initial=initial, choices=choices, widget=widget, **common)
    return _Line(initial=settings_store.shown(setting), max_length=LONGEST, widget=_widget(row), **common)


def _secret(row: Row, common: dict[str, Any]) -> forms.Field:
    """Nothing of it comes back to the browser, and an empty field leaves it as it is."""
    is_set = bool(settings_store.read(row.setting))
    told = _("One is stored. An empty field keeps it.") if is_set else _("None is stored.")
    common |= {"help_text": f"{row.setting.help} {told}", "show_hidden_initial": False}
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(max_length=1000, strip=False, widget=widget, **common)


def _help(row: Row) -> str:
    """What it means, unless its name says that, and what it takes, unless its field shows that."""
    setting = row.setting
    meaning = f"{setting.help} ".removeprefix(f"{row.label}. ").strip()
    if isinstance(setting.shape, Flag | Choice | Several):
        return meaning
    values = setting.accepts
    if isinstance(setting.shape, Number):
        values = _("%(low)d to %(high)d") % {"low": setting.shape.low, "high": setting.shape.high}
    accepted = _("Accepted: %(values)s.") % {"values": values}
    return f"{meaning} {accepted}".strip()


def _widget(row: Row) -> forms.Widget:
    match row.setting.shape:
        case Number(low, high):
            return forms.NumberInput(attrs={"min": low, "max": high, "step": 1, "class": "narrow"})
        case Choice(values):
            return forms.Select(choices=[(value, row.values.get(value, value)) for value in values])
        case _:
            return forms.Textarea(attrs={"rows": LONG_LINES}) if row.is_long else forms.TextInput(OFF)
