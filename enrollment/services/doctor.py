"""What would stop this installation, or this person, enrolling a device now."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx2
from cryptography import x509
from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from devices.models import Enrollment
from devices.search import trigram_index
from devices.services import push_expiry, push_topics
from devices.services.push_expiry import State
from enrollment import reasons
from enrollment.services import authorities, domain_check, outlook, policy, rules
from enrollment.services.findings import Finding, Verdict
from enrollment.simulator import discovery
from enrollment.simulator.network import Network
from enrollment.simulator.refusal import DeviceRefused, TurnedAway
from epmm import health, options, sealed, settings_store
from epmm.expiry import SOON
from epmm.models import Heartbeat
from epmm.numbers import in_utc
from epmm.option_texts import FAMILIES
from users.errors import DirectoryError, ProviderRefused
from users.models import Directory, DirectoryEntry, User
from users.services import people
from users.services.account_mapping import FAILING
from users.services.directory import client
from users.services.oidc import known, providers

# what the installation itself has sealed; the rest are records, which do without what a lost key had sealed
NEEDED: Final = frozenset(
    {
        "enrollment.Authority",
        "devices.PushCertificate",
        "devices.PushRequest",
        "epmm.SettingRow",
        "users.Directory",
        "users.IdentityProvider",
    }
)
PUSH_VERDICT: Final = {
    State.NONE: Verdict.WARNING,
    State.VALID: Verdict.OK,
    State.EXPIRES: Verdict.WARNING,
    State.EXPIRED: Verdict.STOPS,
}


def examine(identifier: str | None, *, family: str = "", os_version: str = "") -> Iterator[Finding]:
    """Each finding as it is made; the installation first, then the person."""
    state = database()
    yield state
    if state.verdict is Verdict.STOPS:
        return  # all the rest asks it
    keys = field_keys()
    yield keys
    if keys.verdict is Verdict.STOPS:
        return  # much of the rest asks what is encrypted
    yield search()
    yield worker()
    yield clock()
    yield features()
    yield from identity_providers()
    yield from certificates()
    yield from push()
    yield from directories()
    yield from discovered(identifier)
    if identifier is not None:
        yield from person(identifier, family=family, os_version=os_version)


def database() -> Finding:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except OperationalError:
        return Finding.stops("database", "The database does not answer. Is it running, and is EPMM_DATABASE_URL right?")
    if missing:
        return Finding.stops("database", "Migrations are missing. Start `manage.py up`, or run `manage.py migrate`.")
    return Finding.ok("database", connection.vendor)


def field_keys() -> Finding:
    if not (wanted := sealed.keys_wanted()):
        return Finding.ok("field keys")
    told = ", ".join(f"{model} ({key})" for model, key in sorted(wanted.items()))
    sentence = (
        f"EPMM_FIELD_KEYS does not open stored secrets of {told}. Put the very keys that they were made with back into "
        "it, and restart all processes."
    )
    return Finding.stops("field keys", sentence) if NEEDED & wanted.keys() else Finding.warning("field keys", sentence)


def search() -> Finding:
    """It answers all the same, so this stops nothing."""
    if not (missing := trigram_index.missing()):
        return Finding.ok("search")
    what = "the extension pg_trgm" if trigram_index.EXTENSION in missing else "the index that goes with pg_trgm"
    statements = "; ".join(missing)
    return Finding.warning(
        "search",
        f"The database lacks {what}: looking for a part of a text reads every device. Run there: {statements};",
    )


def worker() -> Finding:
    if health.worker_beats():
        return Finding.ok("worker")
    last = Heartbeat.objects.filter(name="worker").first()
    since = f"since {in_utc(last.at)}" if last else "so far"
    return Finding.warning("worker", f"No worker has run {since}: inventory is not read. Start `manage.py up`.")


def clock() -> Finding:
    if health.clock_agrees():
        return Finding.ok("clock", in_utc(timezone.now()))
    return Finding.stops(
        "clock", "The clocks of this machine and of the database differ; certificates may not be valid."
    )


def features() -> Finding:
    if names := [policy.FEATURE[kind].name for kind in policy.offered()]:
        return Finding.ok("feature", ", ".join(names))
    name = options.ADDE.name if settings_store.read(options.MDM_PROFILE) else options.MDM_PROFILE.name
    return Finding.stops("feature", f"Account-driven enrollment is off. Switch it on: manage.py setting {name} on")


def identity_providers() -> Iterator[Finding]:
    """Asked as a sign-in asks them, where people sign in there."""
    if settings_store.read(options.REQUIREMENT) != "identity_provider":
        return
    found = list(providers.for_enrollment())
    if not found:
        yield Finding.stops("identity provider", f"{reasons.NO_PROVIDER.code} {reasons.NO_PROVIDER.operator}")
    for provider in found:
        subject = f"identity provider {provider.name}"
        try:
            known.fetch(provider.issuer)
        except ProviderRefused as error:
            yield Finding.stops(subject, error.why)
        else:
            yield Finding.ok(subject, provider.issuer)


def certificates() -> Iterator[Finding]:
    for purpose, certificate in authorities.known():
        yield _expiry(f"certificate {purpose}", certificate.not_valid_after_utc)
    if settings.SIGNING_CERTIFICATE:
        leaf = x509.load_pem_x509_certificates(settings.SIGNING_CERTIFICATE.read_bytes())[0]
        yield _expiry("certificate that signs profiles", leaf.not_valid_after_utc)


def _expiry(subject: str, not_after: datetime) -> Finding:
    left = not_after - timezone.now()
    until = f"until {not_after:%Y-%m-%d}"
    if left <= timedelta():
        return Finding.stops(subject, f"It has expired: valid {until}.")
    return Finding.warning(subject, f"It expires soon: valid {until}.") if left <= SOON else Finding.ok(subject, until)


def push() -> Iterator[Finding]:
    condition = push_expiry.condition(timezone.now())
    yield Finding(subject="push", verdict=PUSH_VERDICT[condition.state], sentence=condition.sentence)
    if condition.state is State.NONE:
        return
    left = push_topics.left_behind(push_topics.for_new_enrollments())
    if left.count:
        sentence = f"Cannot be woken until they enroll again, being under another topic: {left.count} ({left.names})."
        yield Finding.warning("push topic", sentence)


def directories() -> Iterator[Finding]:
    """People of a directory that does not answer cannot sign in; all others can."""
    for directory in Directory.objects.filter(is_enabled=True).select_related("sync").order_by("name"):
        subject, sync = f"directory {directory.name}", getattr(directory, "sync", None)
        try:
            with client.connected(directory) as answering:
                url = answering.url
        except DirectoryError as error:
            yield Finding.warning(subject, f"Nobody of it can sign in. {error}")
            continue
        if sync is not None and sync.error:
            yield Finding.warning(subject, f"It answers, but was not synced: {sync.error}")
        else:
            yield Finding.ok(subject, url)


def discovered(identifier: str | None) -> Iterator[Finding]:
    """Ask as a device does, over HTTPS with verified certificates."""
    asked = identifier if identifier and "@" in identifier else f"doctor@{options.enrollment_domains()[0]}"
    family = policy.family_met(people.domain_of(asked))
    port = urlsplit(settings.PUBLIC_URL).port
    ports = {settings.PUBLIC_HOST: port} if port else {}
    network = Network(trust=settings.TLS_DIR / "ca.pem")
    try:
        server = discovery.ask(network.client, discovery.well_known(asked, family, ports))
    except TurnedAway as refusal:
        yield Finding.stops("discovery", f"{asked} is turned away: {refusal.sentence or refusal.reason}")
        return
    except (DeviceRefused, httpx2.HTTPError, ssl.SSLError) as error:
        yield Finding.stops("discovery", str(error))
        return
    finally:
        network.close()
    yield Finding.ok("discovery", f"{asked} is led to {server.version} at {urlsplit(server.base_url).netloc}")
    if not domain_check.leads_here(server):
        yield Finding.warning("discovery", f"{urlsplit(server.base_url).netloc} is another server than this one.")


def person(identifier: str, *, family: str = "", os_version: str = "") -> Iterator[Finding]:
    """With a device of this family, or of any."""
    user = people.resolve(identifier, options.enrollment_domains())
    if user is None:
        yield Finding.stops("person", f"{identifier} names nobody here. Add the person: manage.py adduser")
        return
    yield Finding.ok("person", f"{user.user_id} ({user.display_name})")
    kinds = [kind for kind in Enrollment.Kind if policy.ROLE[kind] in user.role_keys()] or [Enrollment.Kind.ADDE]
    families = [family] if family else FAMILIES
    for kind in kinds:
        facts = policy.Facts(kind=kind, domain=people.domain_of(identifier), os_version=os_version)
        yield from _checks(user, [replace(facts, family=each) for each in families])
    yield from _rules(user, family)
    requirement = settings_store.read(options.REQUIREMENT)
    if requirement == "identity_provider":
        return
    if user.source != User.Source.LOCAL:
        yield from _origin(user)
    elif requirement != "pin" and not user.has_usable_password():
        yield Finding.stops("password", "The person has no password, and registration.requirement asks for one.")
    elif requirement != "pin" and user.must_change_password:
        yield Finding.stops("password", "The person still has a one-time password.")
    if requirement != "password" and not _has_good_pin(user):
        yield Finding.stops("pin", f"The person has no valid PIN. Issue one: manage.py pin {user.user_id}")


def _origin(user: User) -> Iterator[Finding]:
    """The password is the directory's business; whether the person is still there is ours."""
    entry = DirectoryEntry.objects.select_related("directory").filter(user=user, directory__isnull=False).first()
    if entry is None or entry.directory is None:
        return
    if entry.gone_at is not None:
        yield Finding.stops("directory", f"Gone from {entry.directory} since {entry.gone_at:%Y-%m-%d}.")
    elif not entry.directory.is_enabled:
        yield Finding.stops("directory", f"{entry.directory} is disabled: nobody of it signs in.")
    else:
        yield Finding.ok("directory", f"{entry.directory}: {entry.dn}")
    if entry.account_state in FAILING:
        yield Finding.warning(
            "account", f"Mapped is {entry.account or 'nothing'}: {entry.get_account_state_display()}."
        )


def _checks(user: User, devices: Sequence[policy.Facts]) -> Iterator[Finding]:
    """What stands against some of them is a warning while another one may enroll."""
    said = rules.of(user.pk)
    found = {facts.family: dict(policy.examine(user, facts, said)) for facts in devices}
    finding = Finding.stops if all(any(refusals.values()) for refusals in found.values()) else Finding.warning
    for check in policy.CHECKS:
        subject = f"{devices[0].kind}: {_words(check)}"
        against = {family: refused for family, refusals in found.items() if (refused := refusals[check])}
        yield finding(subject, _against(against)) if against else Finding.ok(subject)


def _against(refusals: Mapping[str, policy.Refused]) -> str:
    """By family."""
    refused = next(iter(refusals.values()))
    whose = f" ({rule})" if (rule := refused.details.get("rule")) else ""
    which = f"{', '.join(refusals)}: " if len(refusals) < len(FAMILIES) else ""
    return f"{which}{refused.reason.code} {refused.reason.operator}{whose}"


def _rules(user: User, family: str) -> Iterator[Finding]:
    """What groups say; for what only the settings say, there is `manage.py setting`."""
    for each in outlook.spoken(rules.of(user.pk), family):
        if each.rule is not None:
            yield Finding.ok("rule", f"{each.subject}: {each.value}, of {each.origin}")


def _words(check: policy.Check) -> str:
    return check.__name__.replace("_", " ")


def _has_good_pin(user: User) -> bool:
    return user.registration_pins.standing().filter(used_at=None, expires_at__gt=timezone.now()).exists()
