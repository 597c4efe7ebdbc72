"""The tables of what is installed on a device: each answer is the whole set, and only what differs is written."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, TypeVar

from django.db.models import QuerySet

from devices.models import Device, InstalledApplication, InstalledCertificate, InstalledProfile
from devices.protocol import installed

Row = TypeVar("Row", InstalledApplication, InstalledProfile, InstalledCertificate)

MANY: Final = 500  # rows to name in one statement; when more are gone, all go
APPLICATION: Final = ("identifier", "name", "version", "short_version", "bundle_size", "dynamic_size", "details")
PROFILE: Final = ("identifier", "profile_uuid", "display_name", "is_managed", "details")
CERTIFICATE: Final = ("sha256", "common_name", "is_identity")


def store_applications(device: Device, answer: Mapping[str, Any]) -> None:
    rows = [
        InstalledApplication(device=device, **_values(application, APPLICATION))
        for application in installed.read_applications(answer)
    ]
    _replace(InstalledApplication.objects.filter(device=device), rows, APPLICATION)


def store_profiles(device: Device, answer: Mapping[str, Any]) -> None:
    rows = [InstalledProfile(device=device, **_values(profile, PROFILE)) for profile in installed.read_profiles(answer)]
    _replace(InstalledProfile.objects.filter(device=device), rows, PROFILE)


def store_certificates(device: Device, answer: Mapping[str, Any]) -> None:
    rows = [
        InstalledCertificate(device=device, der=certificate.der, **_values(certificate, CERTIFICATE))
        for certificate in installed.read_certificates(answer)
    ]
    _replace(InstalledCertificate.objects.filter(device=device), rows, CERTIFICATE, complete=_add_expiry)


def _add_expiry(row: InstalledCertificate) -> None:
    row.not_after = installed.expiry(bytes(row.der))


def _replace(
    stored: QuerySet[Row], rows: Sequence[Row], columns: tuple[str, ...], complete: Callable[[Row], None] | None = None
) -> None:
    """Make `rows` the stored set: three statements, however many.  `complete` does what only new rows need."""
    surplus: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for pk, *content in stored.values_list("pk", *columns):
        surplus[_comparable(content)].append(pk)
    content_of = attrgetter(*columns)
    fresh = []
    for row in rows:
        if same := surplus.get(_comparable(content_of(row))):
            same.pop()
        else:
            fresh.append(row)
    gone = [pk for same in surplus.values() for pk in same]
    if len(gone) > MANY:
        stored.delete()
        fresh = list(rows)
    elif gone:
        stored.filter(pk__in=gone).delete()
    if complete is not None:
        for row in fresh:
            complete(row)
    stored.bulk_create(fresh)


def _values(item: Any, columns: tuple[str, ...]) -> dict[str, Any]:
    return {column: getattr(item, column) for column in columns}


def _comparable(content: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(json.dumps(value, sort_keys=True) if isinstance(value, dict) else value for value in content)
