"""Which kind of enrollment a device is led to.  The answer never tells whether a person exists."""

import hmac
from typing import Final

from django.conf import settings

from devices.models import Enrollment
from enrollment import reasons
from enrollment.models import Attempt, Step
from enrollment.protocol.discovery import DiscoveryRequest, Version
from enrollment.services import policy, rules, trace
from enrollment.services.policy import Refused
from epmm import options
from users.models import User
from users.services import people

NOBODY: Final = User(pk=0)  # is asked about as anybody is: an unknown name costs what a known one does
VERSION: Final = {Enrollment.Kind.ADDE: Version.ADDE, Enrollment.Kind.AAUE: Version.BYOD}


def choose(request: DiscoveryRequest, *, address: str | None) -> tuple[Enrollment.Kind, Attempt | None]:
    """The one kind to announce, and the trace that begins with it.  Raises Refused."""
    attempt = None
    if request.identifier:
        family = request.model_family.value if request.model_family else ""
        attempt = trace.open_attempt(
            address=address, identifier=request.identifier, domain=request.domain, family=family
        )
    try:
        kind = _kind(request)
    except Refused as refused:
        trace.step(attempt, Step.DISCOVERY, result=trace.REFUSED, reason=refused.reason)
        raise
    if attempt is not None:
        attempt.kind = kind
        attempt.save(update_fields=["kind"])
    trace.step(attempt, Step.DISCOVERY, kind=kind)
    return kind, attempt


def _kind(request: DiscoveryRequest) -> Enrollment.Kind:
    if request.model_family is not None and not request.model_family.can_enroll:
        raise Refused(reasons.FAMILY_CANNOT_ENROL)
    # Without parameters (a redirect that lost them) every enrollment domain is meant.
    if request.domain and request.domain not in options.enrollment_domains():
        raise Refused(reasons.FOREIGN_IDENTIFIER)
    return kind_for(request.identifier, domain=request.domain, family=request.model_family or "")


def kind_of(user: User, family: str = "") -> Enrollment.Kind:
    """What somebody known is led to, who types an address in the domain of their account.  Raises Refused."""
    return kind_for(user.user_id, domain=policy.account_domain(user), family=family)


def kind_for(identifier: str, *, domain: str = "", family: str = "") -> Enrollment.Kind:
    """What whoever types this is led to.  Raises Refused."""
    offered = policy.offered(domain, family)
    if not offered:
        raise Refused(reasons.NOT_OFFERED)
    return offered[0] if len(offered) == 1 else _by_role(identifier)


def _by_role(identifier: str) -> Enrollment.Kind:
    """Both kinds are on: the person's role and rules decide, ADDE before user enrollment.

    Whoever is unknown, or has neither role, gets the kind that a keyed hash of the name picks, always the same one.
    """
    domains = options.enrollment_domains()
    user = people.resolve(identifier, domains) if identifier else None
    kinds = _kinds_of(user or NOBODY)
    # A person is found with and without our domain, so a stranger must get one answer to both.
    name = people.without_own_domain(identifier, domains)
    picked = hmac.digest(settings.SECRET_KEY.encode(), b"discovery:" + name.encode(), "sha256")
    if Enrollment.Kind.ADDE in kinds:
        return Enrollment.Kind.ADDE
    if Enrollment.Kind.AAUE in kinds or picked[0] % 2:
        return Enrollment.Kind.AAUE
    return Enrollment.Kind.ADDE


def _kinds_of(user: User) -> set[Enrollment.Kind]:
    """Those that the person's roles and rules allow; where that is none, the roles', so that the refusal tells why.

    By family nothing differs: from such answers an outsider would learn that there is a rule for somebody.
    """
    roles, ruled = user.role_keys(), rules.of(user.pk).kinds().value
    granted = {kind for kind, role in policy.ROLE.items() if role in roles}
    return {kind for kind in granted if kind in ruled} or granted
