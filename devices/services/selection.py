"""Many devices, by what they are: columns, a label, an expression.  Written down, and asked anew for each bite."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from devices.services import label_members, labels, search
from devices.services.labels import LabelRefused
from devices.services.search import SearchRefused
from epmm import masking
from epmm.numbers import grouped
from users.errors import UnknownPerson
from users.services import people

NAMED: Final = "uuid__in"
USER: Final = "user__user_id"
COLUMNS: Final = ("platform", "enrollment_type", USER, "os_version", NAMED)
MOST_NAMED: Final = 1_000
LONGEST: Final = 64  # of what is no UUID, in a sentence
LABEL, SEARCH = "label", "search"
NOBODY: Final = Q(pk__in=())


class SelectionRefused(Exception):
    """The argument is a sentence for the administrator."""


def checked(selection: Mapping[str, Any]) -> dict[str, Any]:
    """As it is written down.  Raises SelectionRefused."""
    if unknown := selection.keys() - {*COLUMNS, LABEL, SEARCH}:
        raise SelectionRefused(_("Devices are not chosen by {names}.").format(names=", ".join(sorted(unknown))))
    if NAMED in selection:
        _check_named(selection[NAMED])
    try:
        if SEARCH in selection:
            search.understand(selection[SEARCH])
        if LABEL in selection:
            label_members.condition(labels.find(selection[LABEL]))
        if USER in selection:
            return {**selection, USER: people.by_user_id(selection[USER]).user_id}
    except (SearchRefused, LabelRefused, UnknownPerson) as refused:
        raise SelectionRefused(str(refused)) from refused
    return dict(selection)


def _check_named(uuids: Sequence[str]) -> None:
    if not uuids:
        raise SelectionRefused(_("Name at least one device."))
    if len(uuids) > MOST_NAMED:
        told = _("Devices are named one by one up to {n}: give more of them a label, or find them by an expression.")
        raise SelectionRefused(told.format(n=grouped(MOST_NAMED)))
    for each in uuids:
        try:
            UUID(each)
        except ValueError as error:
            raise SelectionRefused(_("{name} is no UUID of a device.").format(name=each[:LONGEST])) from error


def told(selection: Mapping[str, Any]) -> dict[str, Any]:
    """For the audit log: of those that are named how many, and the SHA-256 of their UUIDs, sorted, a line each."""
    if NAMED not in selection:
        return dict(selection)
    lines = sorted({f"{UUID(each)}\n" for each in selection[NAMED]})
    return {**selection, NAMED: {"number": len(lines), "sha256": sha256("".join(lines).encode()).hexdigest()}}


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
