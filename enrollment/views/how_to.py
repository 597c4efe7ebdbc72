"""Help before an enrollment: what to do on which device, and what the organization sees and does then."""

from collections.abc import Mapping
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from devices.protocol.target import Kind
from devices.services import reach
from enrollment.services import consent, own_address, policy
from enrollment.views.devices_met import BY_SLUG, MET, Met, met
from epmm import options, qr, settings_store
from epmm.rate_limit import limited
from users import self_permissions
from users.models import Role, User
from users.views.self_account import page

KINDS: Final = {Kind.ADDE: _("Device of the organization"), Kind.AAUE: _("Device of your own")}


@limited
@require_safe
def enroll(request: HttpRequest, slug: str = "") -> HttpResponse:
    if slug and slug not in BY_SLUG:
        raise Http404
    return steps(request, BY_SLUG[slug] if slug else met(request), named(request))


def steps(request: HttpRequest, device: Met | None, person: User | None, **more: Any) -> HttpResponse:
    """`person`: whose address is to be typed; it is an example for nobody in particular."""
    scanned = own_address.help_address(person)
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    is_on_a_computer = met(request) is None or met(request) == BY_SLUG["mac"]  # on the phone nobody needs a camera
    return page(
        request,
        "help",
        device=device,
        devices=MET,
        query=query,
        address=own_address.of(person) if person else own_address.example(),
        is_own=person is not None,
        account=(person.managed_apple_account or "") if person else "",
        code=qr.picture(scanned) if is_on_a_computer and settings_store.read(options.QR_CODE) else "",
        scanned=scanned,
        requirement=settings_store.read(options.REQUIREMENT),
        enabled=bool(policy.offered()),
        asks_consent=consent.is_asked(person.pk if person else 0),
        **more,
    )


def named(request: HttpRequest) -> User | None:
    """Who has signed in, else whom the address was made for."""
    user = self_permissions.person_of(request)
    return user or own_address.named_by(request.GET.get(own_address.PARAMETER, ""))


@limited
@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    device = BY_SLUG.get(request.GET.get("device", "")) or met(request) or MET[0]
    kinds: Mapping[Kind, Any] = {kind: KINDS[kind] for kind in map(Kind, policy.offered())} or KINDS
    kind = _kind(request, kinds)
    return page(
        request,
        "privacy",
        device=device,
        devices=MET,
        kind=kind,
        kinds=kinds,
        reach=reach.of(device.platform, kind),
    )


def _kind(request: HttpRequest, kinds: Mapping[Kind, Any]) -> Kind:
    """As asked for; else as the person's roles say, as discovery reads them; else the first."""
    asked = request.GET.get("kind", "")
    if asked in kinds:
        return Kind(asked)
    is_of_own = Role.ADDE not in (roles := self_permissions.roles_of(request)) and Role.AAUE in roles
    return Kind.AAUE if is_of_own and Kind.AAUE in kinds else next(iter(kinds))
