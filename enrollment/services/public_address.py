"""What follows from the public URL, and whom it would leave behind if it changed."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count

from devices.models import Enrollment
from enrollment.services import domains
from epmm import options


@dataclass(frozen=True, slots=True)
class Calling:
    """Where devices call, as their profiles say."""

    address: str
    devices: int

    @property
    def is_here(self) -> bool:
        return self.address == f"{settings.PUBLIC_URL}/mdm/connect"


def calling() -> list[Calling]:
    """Of all that are enrolled; this server first."""
    # `*`: the index knows all that is asked for
    groups = Enrollment.objects.active().order_by().values_list("server_url").annotate(devices=Count("*"))
    found = [Calling(address, number) for address, number in groups]
    return sorted(found, key=lambda each: (not each.is_here, each.address))


def places() -> list[tuple[str, str]]:
    """Each with the name by which `docs/enrollment.md` knows it."""
    url = settings.PUBLIC_URL
    elsewhere = [domain for domain in options.enrollment_domains() if not domains.is_own(domain)]
    return [
        ("portal", f"{url}/admin/"),
        ("discovery", f"{url}{domains.PATH}"),
        *(("domain", f"https://{domain}{domains.PATH}") for domain in elsewhere),
        ("enrollment", f"{url}/enroll/"),
        ("identity", f"{url}/scep"),
        ("devices", f"{url}/mdm/connect"),
        ("certificate", urlsplit(url).hostname or ""),
    ]
