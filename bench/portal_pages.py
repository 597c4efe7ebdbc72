"""Every page of both portals, as their links, lists and forms lead to it: whatever is added is found.

The names of its addresses are those of the namespace `portal`; those of the user portal begin with `self:`.  Of each
page the links, sort orders, searches, filters, middle and late pages, and the dialogs for ticked rows are followed
once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

from bench import portal_people
from bench.portal_rows import Seeded
from bench.portal_seen import Answer, Ask, Seen, Visit, query_of, read

PORTAL: Final = "portal"
FILES: Final = frozenset({"api-document", "api-style"})  # what a page of the API asks for
PREFIXES: Final = {PORTAL: "", "self": "self:"}  # by namespace
HERE: Final = "/admin/"
SIGN_IN: Final = "/my/sign-in"
# Of these each value is a page of its own; of others one stands for all.
WITH_VALUE: Final = frozenset({"sort", "status", "to", "entities", "retired", "what", "state", "kind"})
# Lists of devices to which no link leads by itself: searches as people write them, and orders of a part of the devices.
STORY: Final = '"ios.account_driven_device_enrolled" = "true"'
LOW: Final = '"common.battery_level" < 5'
THREE: Final = f'{STORY} AND "common.platform" = "iOS" AND "common.model_name" "contains" "iPhone"'
RARE: Final = '"common.platform" = "macOS" AND "common.os_version" < "15.0"'
OF_DEVICES: Final = {
    told: f"{HERE}devices?{urlencode(query)}"
    for told, query in {
        "the story's search": {"search": STORY},
        "a search that finds nothing": {"search": RARE},
        "batteries that are nearly empty": {"search": LOW},
        "Advanced Search with three rows": {"search": THREE, "advanced": "1"},
        "retired, last seen first": {"status": "RETIRED", "sort": "-seen"},
        "with retired, last seen first": {"retired": "1", "sort": "-seen"},
        "with retired, registered last": {"retired": "1", "sort": "-registered"},
    }.items()
}
FAMILIES: Final = ("iphone", "ipad", "mac", "vision")
LATE: Final = 60  # rows from the end
NEXT_PAGES: Final = 20  # followed where a list has pages of another kind
NOT_FOUND: Final = 404
ANSWERS: Final = frozenset({200, 204, 302, 405, 409, 422})
# It has an answer for who comes from the provider alone; those of the user portal say why not.
SENT_BACK: Final = frozenset({"sign-in-provider-callback"})
SAY_WHY_NOT: Final = frozenset({403, 503})


class UnknownPage(Exception):
    """A page was added, and nothing says what its address names."""


Fetch = Callable[[Ask], Answer]


def names() -> dict[str, Any]:
    """By the name of the address, its pattern."""
    from django.urls import URLPattern, URLResolver, get_resolver

    def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
        for each in resolver.url_patterns:
            yield from patterns(each) if isinstance(each, URLResolver) else (each,)

    tops = [each for each in get_resolver().url_patterns if isinstance(each, URLResolver)]
    return {
        f"{PREFIXES[top.namespace]}{each.name or ''}": each
        for top in tops
        if top.namespace in PREFIXES
        for each in patterns(top)
        if each.name not in FILES
    }


def walk(fetch: Fetch, seeded: Seeded) -> Iterator[Visit]:
    """Raises UnknownPage."""
    _sign_in(fetch, seeded)
    walked = _Walk(fetch, seeded)
    yield from walked.all()
    if missed := names().keys() - walked.opened:
        raise UnknownPage(f"nothing has opened {', '.join(sorted(missed))}")


def _sign_in(fetch: Fetch, seeded: Seeded) -> None:
    """To the user portal as well, as somebody whose pages are full; the sessions know nothing of each other."""
    if not any(name.startswith("self:") for name in names()):
        return
    fetch(Ask(SIGN_IN))
    given = {"user_id": portal_people.able_to_sign_in(seeded.person), "password": portal_people.PASSWORD}
    fetch(Ask(SIGN_IN, given))


@dataclass
class _Walk:
    fetch: Fetch
    seeded: Seeded
    kinds: set[tuple[Any, ...]] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)

    def all(self) -> Iterator[Visit]:
        """Each page by itself first, then what they lead to."""
        opened = []
        for name, route in names().items():
            for path in _paths(name, route, self.seeded):
                visits, paged = self._paged("", Ask(path), is_own_kind=True)
                yield from visits
                opened += [(visit, paged) for visit in visits]
        for visit, paged in opened:
            yield from self._led_to(visit, paged)
        for told, path in (*_of_labels(self.seeded), *OF_DEVICES.items()):
            yield from self._visit(told, Ask(path), is_own_kind=True)

    def _led_to(self, visit: Visit, paged: Sequence[tuple[Any, Any]]) -> Iterator[Visit]:
        seen = read(visit)
        yield from self._deep(visit, seen, paged)
        for told, ask in (*seen.links(), *seen.dialogs()):
            yield from self._linked(told, ask)
        for told, ask in seen.asked():
            yield from self._visit(told, ask, is_own_kind=True)

    def _linked(self, told: str, ask: Ask) -> Iterator[Visit]:
        """A list that is sorted otherwise is long as well, and can be turned round."""
        linked, paged = self._paged(told, ask)
        yield from linked
        for visit in linked:
            if "sort=" in visit.ask.path:
                seen = read(visit)
                yield from self._deep(visit, seen, paged)
                for turned, descending in seen.links():
                    if (
                        query_of(descending.path).keys() == query_of(visit.ask.path).keys()
                        and "sort=-" in descending.path
                    ):
                        yield from self._linked(turned, descending)

    def _paged(
        self, told: str, ask: Ask, *, is_own_kind: bool = False
    ) -> tuple[list[Visit], Sequence[tuple[Any, Any]]]:
        with _paging() as paged:
            return list(self._visit(told, ask, is_own_kind=is_own_kind)), paged

    def _visit(self, told: str, ask: Ask, *, is_own_kind: bool = False) -> Iterator[Visit]:
        """Nothing when one of its kind was there before."""
        name = _name(ask.path)
        if name is None:
            return
        kind, itself = _kind(name, ask), (ask.path, ask.sent is not None)
        if (itself if is_own_kind else kind) in self.kinds:
            return
        self.kinds |= {kind, itself}
        answer = self.fetch(ask)
        says_why = name.startswith("self:") and answer.status in SAY_WHY_NOT
        if answer.status in ANSWERS or name in SENT_BACK or says_why:
            self.opened.add(name)
            yield Visit(name, told, ask, answer)
        elif urlsplit(ask.path).query or answer.status != NOT_FOUND:  # what a page needs stands in the links to it
            raise UnknownPage(f"{ask.path} is answered with {answer.status}")

    def _deep(self, visit: Visit, seen: Seen, paged: Sequence[tuple[Any, Any]]) -> Iterator[Visit]:
        """The middle and the end of a long list."""
        if not seen.following:
            return
        order = "&".join(part for part in urlsplit(visit.ask.path).query.split("&") if part.startswith("sort="))
        for queryset, order_by in paged[:1]:
            for place, cursor in _places(queryset, order_by):
                path = urljoin(visit.ask.path, "?" + urlencode({**query_of(visit.ask.path), "after": cursor}))
                yield Visit(visit.page, f"{order} {place}".strip(), Ask(path), self.fetch(Ask(path)))
        if not paged:
            path = visit.ask.path
            for _ in range(NEXT_PAGES):
                path = urljoin(path, seen.following) if seen.following else path
                answer = self.fetch(Ask(path))
                seen = read(Visit(visit.page, "", Ask(path), answer))
            yield Visit(visit.page, f"{order} a later page".strip(), Ask(path), answer)


def _paths(name: str, route: Any, seeded: Seeded) -> Iterator[str]:
    from django.urls import reverse

    from epmm.portal import settings_tree

    converters, address = route.pattern.converters, name if ":" in name else f"{PORTAL}:{name}"
    if name == "self:help-family":
        yield from (reverse(address, args=[slug]) for slug in FAMILIES)
    elif "slug" in converters:
        for node in settings_tree.nodes():
            yield node.address
    else:
        yield reverse(address, kwargs={each: _argument(name, each, seeded) for each in converters})
    if name == "users-edit":  # of an administrator there is more to show
        yield reverse(f"{PORTAL}:{name}", args=[seeded.admin])


def _argument(name: str, argument: str, seeded: Seeded) -> Any:
    if argument == "uuid":
        return seeded.export if name.startswith(("logs-audit", "users-pin-file")) else seeded.device
    numbers = {
        "users": seeded.person, "admins": seeded.admin, "labels": seeded.label, "devices-command": seeded.command,
        "logs-enrollment": seeded.attempt, "configurations": seeded.configuration,
        "settings-attributes": seeded.attribute, "services-ldap": seeded.directory,
        "logs-actions-people": seeded.people_run, "logs-actions": seeded.run,
        "services-webhooks-delivery": seeded.delivery, "services-webhooks": seeded.webhook,
        "services-providers": seeded.provider, "sign-in-provider": seeded.provider,
        "self:sign-in-provider": seeded.provider, "texts": seeded.text,
    }  # fmt: skip
    prefix = next((each for each in numbers if name.startswith(each)), None)
    if argument != "number" or prefix is None:
        raise UnknownPage(f"nothing is known to put for {argument} into the address of {name}")
    return numbers[prefix]


def _of_labels(seeded: Seeded) -> Iterator[tuple[str, str]]:
    """A label's devices are found by its rows or by its criteria."""
    from devices.models import Label

    chosen = {"few": seeded.label, "many": seeded.large_label}
    chosen |= {f"criteria: {label.name}": label.pk for label in Label.objects.filter(is_built_in=True)}
    for told, pk in chosen.items():
        yield f"label, {told}", f"{HERE}devices?label={pk}"


def _name(path: str) -> str | None:
    from django.urls import Resolver404, resolve

    try:
        match = resolve(urlsplit(path).path)
    except Resolver404:
        return None
    return f"{PREFIXES[match.app_name]}{match.url_name}" if match.app_name in PREFIXES else None


def _kind(name: str, ask: Ask) -> tuple[Any, ...]:
    query = query_of(ask.path)
    said = frozenset((key, value if key in WITH_VALUE else "") for key, value in query.items())
    slug = urlsplit(ask.path).path if name == "settings-page" else ""  # each is a page of its own
    return name, slug, said, ask.sent is not None


@contextmanager
def _paging() -> Iterator[list[tuple[Any, Any]]]:
    """What lists are read in pages meanwhile, and in which order."""
    from epmm.portal import keyset

    asked: list[tuple[Any, Any]] = []
    page = keyset.page

    def noted(queryset: Any, order: Any, **options: Any) -> Any:
        asked.append((queryset, order))
        return page(queryset, order, **options)

    keyset.page = noted
    try:
        yield asked
    finally:
        keyset.page = page


def _places(queryset: Any, order: Any) -> Iterator[tuple[str, str]]:
    """Where a page in the middle begins, and one near the end: among the rows without a value, if there are any."""
    from epmm.portal import keyset

    sign = "-" if order.is_descending else ""
    known = queryset.filter(**{f"{order.column}__isnull": False}).order_by(f"{sign}{order.column}", f"{sign}pk")
    unknown = queryset.filter(**{f"{order.column}__isnull": True}).order_by(f"{sign}pk")
    last = unknown if unknown.exists() else known
    for told, rows, number in (
        ("middle page", known, known.count() // 2),
        ("late page", last, max(0, last.count() - LATE)),
    ):
        pair = [row.pk for row in rows[number : number + 2]]
        # of two rows the first is a page, behind which the next one begins
        yield told, keyset.page(queryset.filter(pk__in=pair), order, size=1).after
