"""How the portal shows a value: one way for each kind, everywhere."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from epmm import markup as formatting
from epmm.numbers import grouped
from epmm.portal.lists import Badge, Cell, Link, Long, counted

MINUTE: Final = 60
register = template.Library()


@register.filter
def capped(number: int) -> str:
    """A count that went no further than lists do."""
    return counted(number)


@register.filter
def cell(value: Cell) -> SafeString | str:
    match value:
        case None | "":
            return ""  # the style sheet draws a dash: half of what a list says may be nothing
        case bool():
            return _("true") if value else _("false")
        case datetime():
            shown = date_format(localtime(value), "SHORT_DATETIME_FORMAT")
            return format_html('<time datetime="{}">{}</time>', value.isoformat(timespec="seconds"), shown)
        case Badge() | Link() | Long():
            return _drawn(value)
        case _:
            return grouped(value) if isinstance(value, int) else str(value)


@register.simple_tag
def table_rows(rows: Iterable[tuple[str, Sequence[Cell]]], are_ticked: object) -> SafeString:
    """The rows of a list, each with its key: written here, since a template takes twice as long for a page of them."""
    tick = conditional_escape(_("Select %(name)s"))
    return SafeString("".join(_row(key, cells, tick if are_ticked else "") for key, cells in rows))


def _row(key: str, cells: Sequence[Cell], tick: str) -> str:
    box = ""
    if tick:
        label = tick % {"name": conditional_escape(str(cells[0]))}
        box = f'<td><input type="checkbox" name="row" value="{conditional_escape(key)}" aria-label="{label}"></td>'
    return f"<tr>{box}{''.join(f'<td>{conditional_escape(cell(value))}</td>' for value in cells)}</tr>"


def _drawn(value: Badge | Link | Long) -> SafeString | str:
    match value:
        case Badge():
            key = format_html(' id="{}"', value.key) if value.key else ""
            return format_html('<span class="badge {}"{}>{}</span>', value.tone, key, value.shown)
        case Link():
            note = format_html(' <span class="quiet">{}</span>', value.note) if value.note else ""
            panel = SafeString(" data-panel") if value.has_panel else ""
            kind = format_html(' class="{}"', "edit") if value.is_edit else ""
            return format_html('<a href="{}"{}{}>{}</a>{}', value.address, kind, panel, value.text, note)
        case Long():
            return format_html('<span class="told">{}</span>', value.text) if value.text else ""


@register.filter
def duration(seconds: int) -> str:
    """How long something waits: to the second at first, and then roughly."""
    if seconds < MINUTE:
        return _("%(seconds)s seconds") % {"seconds": seconds}
    now = timezone.now()
    return timesince(now - timedelta(seconds=seconds), now, depth=1)


@register.filter
def markup(text: str) -> SafeString:
    return formatting.html(text)
