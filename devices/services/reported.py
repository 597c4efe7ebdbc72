"""From the lists of status reports to the tables of what is on a device.

Of many devices together, whose records are locked: what stands is read once for all, and what differs is written.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from devices.models import Device, InstalledApplication, InstalledCertificate, ManagedApplication
from devices.protocol import installed
from devices.protocol.declarative.status import StatusReport
from devices.protocol.status_items import CERTIFICATES, DECLARED, LISTS, MANAGED
from devices.protocol.status_lists import App, Entries, ListNews, by_identifier, read_app, read_certificates
from devices.services.installed import TABLES
from devices.services.record import Record
from epmm.given import update_each

_ANSWER: Final = {MANAGED: "ManagedApplicationList", CERTIFICATES: "CertificateList"}  # which tells the same
_ORDERS: Final = ("InstallApplication", "RemoveApplication")
_LESS: Final = "less"  # when a report last said that something of a list is gone
_FEED: Final[Mapping[type[Any], tuple[str, ...]]] = {
    installed.Application: (MANAGED, DECLARED),
    installed.ManagedApplication: (MANAGED,),
    installed.Certificate: (CERTIFICATES,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One list of one device."""

    record: Record
    at: datetime
    path: str
    news: ListNews
    before: Entries

    @property
    def device(self) -> Device:
        return self.record.device

    def is_outdated(self, identifier: str) -> bool:
        """The device has answered since that it installs the application, or why it does not, or that it is gone."""
        return any(self.record.has_newer(f"{order} {identifier}", self.at) for order in _ORDERS)

    def apps(self) -> list[App]:
        read = map(read_app, self.news.put.values())
        return [app for app in read if app is not None and not self.is_outdated(app.identifier)]


def lists_of(report: StatusReport, before: Mapping[str, Any]) -> dict[str, tuple[ListNews, Entries]]:
    """By path; `before`: the items as they were known."""
    found = {path: (ListNews.of(report, path, before.get(path)), by_identifier(before.get(path))) for path in LISTS}
    return {path: (news, known) for path, (news, known) in found.items() if news is not None}


def has_fed(record: Record, kind: type[Any], at: datetime) -> bool:
    """Whether a report that came after this moment has changed what the table of this kind says."""
    return any(record.has_newer(path, at) for path in _FEED.get(kind, ()))


def standing(record: Record, kind: type[Any], items: Iterable[Any], at: datetime) -> list[Any]:
    """What an answer says that nobody has denied since: it came at this moment, before a report that `has_fed`.

    Answers alone tell of what is not managed, and of what ended: each once.
    """
    if kind is installed.ManagedApplication:
        return [item for item in items if item.state in installed.TOLD_ONCE]
    is_denied = kind is installed.Certificate and record.has_newer(f"{CERTIFICATES} {_LESS}", at)
    return [] if is_denied else list(items)


def feed(told: Sequence[Told]) -> None:
    """Call it with the records locked, and save them afterwards.  A command that was answered later is not undone."""
    told = [each for each in told if not each.record.has_newer(_ANSWER.get(each.path, each.path), each.at)]
    for each in told:
        after = each.news.after(each.before)
        if after != each.before:
            each.record.receive(each.path, each.at)
        if each.path == CERTIFICATES and each.before.keys() - after.keys():
            each.record.receive(each.path, each.at, about=_LESS)
    if apps := [each for each in told if each.path != CERTIFICATES]:
        read = [(each, each.apps()) for each in apps]
        _feed_managed(read)
        _feed_installed([told for told in read if not told[0].record.has_newer("InstalledApplicationList", told[0].at)])
    if certificates := [each for each in told if each.path == CERTIFICATES]:
        _feed_certificates(certificates)


def _feed_managed(told: Sequence[tuple[Told, Sequence[App]]]) -> None:
    rows: defaultdict[tuple[int, bool], dict[str, ManagedApplication]] = defaultdict(dict)
    for stored in ManagedApplication.objects.filter(_named(told)):
        rows[stored.device_id, stored.is_declared][stored.identifier] = stored
    new: list[ManagedApplication] = []
    changed: list[ManagedApplication] = []
    gone: list[int] = []
    for each, apps in told:
        is_declared, put = each.path == DECLARED, each.news.put
        known = rows[each.device.pk, is_declared]
        left = known.keys() - put.keys() if each.news.is_whole else known.keys() & each.news.gone
        told_once = {name: row for name, row in rows[each.device.pk, False].items() if row.state in installed.TOLD_ONCE}
        if is_declared:  # what was refused is managed all the same
            gone += [told_once[name].pk for name in told_once.keys() & put.keys()]
        else:  # and left out afterwards
            left -= told_once.keys()
        gone += [known[identifier].pk for identifier in left if not each.is_outdated(identifier)]
        for app in apps:
            if (row := known.get(app.identifier)) is None:
                new.append(ManagedApplication(device=each.device, identifier=app.identifier, is_declared=is_declared))
                _tell(new[-1], app)
            elif _tell(row, app):
                changed.append(row)
    _write(ManagedApplication, new, changed, gone, ("state", "rejection", "details"))


def _named(told: Sequence[tuple[Told, Sequence[App]]]) -> Q:
    """The rows that these may change."""
    whole = {each.device.pk for each, _ in told if each.news.is_whole}
    others = {each.device.pk for each, _ in told} - whole
    names = {name for each, _ in told if not each.news.is_whole for name in each.news.put.keys() | each.news.gone}
    return Q(device__in=whole) | Q(device__in=others, identifier__in=names)


def _tell(row: ManagedApplication, app: App) -> bool:
    """Whether it is news.  What only answers tell of an application stands."""
    state = app.state or row.state
    rejection = app.rejection if row.is_declared or state != row.state else row.rejection
    details = app.details if row.is_declared else row.details | app.details
    before = row.state, row.rejection, row.details
    row.state, row.rejection, row.details = state, rejection, details
    return before != (state, rejection, details)


def _feed_installed(told: Sequence[tuple[Told, Sequence[App]]]) -> None:
    """What is managed is there, in that version: the state says so.  In other states no version is certain."""
    said = {(each.device.pk, app.identifier): app for each, apps in told for app in apps}
    found = InstalledApplication.objects.defer("details").filter(
        device__in={device for device, _ in said}, identifier__in={identifier for _, identifier in said}
    )
    known = {(row.device_id, row.identifier): row for row in found}
    new: list[InstalledApplication] = []
    changed: list[InstalledApplication] = []
    gone: list[int] = []
    for (device, identifier), app in said.items():
        row = known.get((device, identifier))
        values = {"name": app.name, "version": app.version, "short_version": app.short_version}
        values = {column: value for column, value in values.items() if value}
        if row is None:
            if app.state == "Managed":
                new.append(InstalledApplication(device_id=device, identifier=identifier, **values))
        elif app.state == "ManagedButUninstalled":
            gone.append(row.pk)
        elif app.state == "Managed" and any(getattr(row, column) != value for column, value in values.items()):
            vars(row).update(values)
            changed.append(row)
    _write(InstalledApplication, new, changed, gone, ("name", "version", "short_version"))


def _feed_certificates(told: Sequence[Told]) -> None:
    """What reports told and tell no more is gone.  Of what somebody else has put on the device they say nothing."""
    stored = InstalledCertificate.objects.filter(device__in=[each.device.pk for each in told])
    known: defaultdict[tuple[int, str, bool], list[int]] = defaultdict(list)
    for device, sha256, is_identity, pk in stored.values_list("device_id", "sha256", "is_identity", "pk"):
        known[device, sha256, is_identity].append(pk)
    table, new, gone = TABLES[installed.Certificate], [], list[int]()
    for each in told:
        after = each.news.after(each.before)
        stale = [entry for identifier, entry in each.before.items() if after.get(identifier) != entry]
        kept = {_key(each, one) for one in read_certificates(after.values() if stale else ())}
        for key in {_key(each, one) for one in read_certificates(stale)} - kept:
            gone += known.pop(key, [])
        put = {_key(each, one): one for one in read_certificates(each.news.put.values())}
        new += [table.row(each.device, one) for key, one in put.items() if key not in known]
    _write(InstalledCertificate, new, [], gone, ())


def _key(told: Told, certificate: installed.Certificate) -> tuple[int, str, bool]:
    return told.device.pk, certificate.sha256, certificate.is_identity


def _write(model: Any, new: Sequence[Any], changed: Sequence[Any], gone: Sequence[int], columns: Sequence[str]) -> None:
    if gone:
        model.objects.filter(pk__in=gone).delete()
    if changed:
        update_each(changed, columns)
    if new:
        model.objects.bulk_create(new)
