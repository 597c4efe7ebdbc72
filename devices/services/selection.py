"""Many devices, by what they are: columns, a label, an expression.  Written down, and asked anew for each bite."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Q
from django.utils.translation import gettext as _

from devices.services import label_members, labels, search
from devices.services.labels import LabelRefused
from devices.services.search import SearchRefused
from epmm import masking

COLUMNS: Final = ("platform", "enrollment_type", "user__user_id", "os_version", "uuid__in")
LABEL, SEARCH = "label", "search"
NOBODY: Final = Q(pk__in=())


class SelectionRefused(Exception):
    """The argument is a sentence for the administrator."""


def check(selection: Mapping[str, Any]) -> None:
    if unknown := selection.keys() - {*COLUMNS, LABEL, SEARCH}:
        raise SelectionRefused(_("Devices are not chosen by {names}.").format(names=", ".join(sorted(unknown))))
    try:
        if SEARCH in selection:
            search.understand(selection[SEARCH])
        if LABEL in selection:
            label_members.condition(labels.find(selection[LABEL]))
    except (SearchRefused, LabelRefused) as refused:
        raise SelectionRefused(str(refused)) from refused


def condition(selection: Mapping[str, Any]) -> Q | None:
    """True of the devices of a label or an expression; None: neither is said.  What is gone meanwhile has nobody."""
    said = Q()
    try:
        if LABEL in selection:
            said &= label_members.condition(labels.find(selection[LABEL]))
        if SEARCH in selection:
            with masking.hiding(()):  # whoever wrote it down was asked
                said &= search.condition(selection[SEARCH])
    except (SearchRefused, LabelRefused):
        return NOBODY
    return said or None
