"""The sheet in which the person signs in: a browser of its own that ends on the address of Apple's callback."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from enrollment.simulator import page as pages
from enrollment.simulator.discovery import who
from enrollment.simulator.hardware import Hardware
from enrollment.simulator.network import media_type, redirected, send
from enrollment.simulator.refusal import DeviceRefused, TurnedAway

_REACTION = "closes the sheet and cancels the enrollment"
_STEPS = 20  # pages and redirects of one sign-in
_SECRETS = frozenset({"current-password", "one-time-code"})
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
_SAFARI = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 {}Safari/{}"
_AGENTS = {
    "iPhone": _SAFARI.format("iPhone; CPU iPhone OS 18_2 like Mac OS X", "Mobile/15E148 ", "604.1"),
    "iPad": _SAFARI.format("iPad; CPU OS 18_2 like Mac OS X", "Mobile/15E148 ", "604.1"),
    "Mac": _SAFARI.format("Macintosh; Intel Mac OS X 10_15_7", "", "605.1.15"),
}


class WebSheet:
    """One web session: pages as they come, forms as they are written, cookies until it closes."""

    def __init__(self, client: httpx2.Client, hardware: Hardware) -> None:
        self._client = client
        self._headers = {
            "User-Agent": _AGENTS[hardware.family.value],
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language": f"{hardware.language},{hardware.language.split('-')[0]};q=0.9",
        }
        self._steps = 0
        self._referrer_policy = ""
        self._home = ""  # where the sheet was opened; other pages are a provider's
        self.page: pages.Page | None = None
        self.policies: list[str] = []
        self.token: str | None = None  # set once the callback was reached; of apple-oauth2, the code
        self.read_callback: Callable[[httpx2.Response], str] = callback_token

    def open(self, address: str) -> None:
        self._home = pages.origin(httpx2.URL(address))
        self._request("GET", httpx2.URL(address))

    def submit(self, form: pages.Form, typed: Mapping[str, str] | None = None) -> None:
        """Send the form of the page in sight, with what the person typed into its fields."""
        page = self._check(form)
        values = [*form.hidden, *((item.name, item.value) for item in form.fields)]
        pairs = [(name, (typed or {}).get(name, value)) for name, value in values]
        if form.method == "post":
            self._request("POST", form.action, urlencode(pairs).encode(), submitted=page)
        else:
            self._request("GET", form.action.copy_with(query=urlencode(pairs).encode()), submitted=page)

    def _check(self, form: pages.Form) -> pages.Page:
        """Nothing may hinder the form, nor the callback that answers it: browsers look at `form-action` for both."""
        page = self.page
        if page is None or form not in page.forms:
            raise DeviceRefused(_REACTION, "this form is not on the page in sight")
        if form.new_window:
            raise DeviceRefused(_REACTION, "the form opens a new window, and the sheet has one")
        if not form.submittable:
            raise DeviceRefused(_REACTION, "the form has no button: without a script nobody can send it")
        if not self._is_home(page.address):
            self._check_policies(page, form.action)
            return page
        if not self.policies:
            raise DeviceRefused(_REACTION, "the page has no Content-Security-Policy")
        for target in (form.action, httpx2.URL(f"{pages.CALLBACK_SCHEME}://authentication-results")):
            self._check_policies(page, target)
        return page

    def _is_home(self, address: httpx2.URL) -> bool:
        return pages.origin(address) == self._home

    def _check_policies(self, page: pages.Page, target: httpx2.URL) -> None:
        if not pages.allows(self.policies, page.address, target):
            raise DeviceRefused(_REACTION, f"form-action of the page forbids {target.scheme}://{target.host}")

    def _request(
        self, method: str, address: httpx2.URL, body: bytes = b"", *, submitted: pages.Page | None = None
    ) -> None:
        """`submitted`: the page whose form this is; its policy holds for all that the answer redirects to."""
        headers = dict(self._headers)
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = self._origin()
        while True:
            self._steps += 1
            if self._steps > _STEPS:
                raise DeviceRefused(_REACTION, f"more than {_STEPS} pages and redirects")
            response = send(self._client, self._client.build_request(method, address, content=body, headers=headers))
            if not response.has_redirect_location:
                return self._show(response)
            if submitted is not None and not self._is_home(submitted.address):
                self._check_policies(submitted, redirected(response))
            if urlsplit(response.headers["Location"]).scheme not in {"", "http", "https"}:
                self.token = self.read_callback(response)
                return None
            address = redirected(response)
            if method == "POST" and response.status_code not in {307, 308}:
                method, body = "GET", b""
                del headers["Content-Type"], headers["Origin"]

    def _origin(self) -> str:
        """Fetch, "append a request Origin header": a page that asks for no referrer makes it opaque."""
        if self.page is None or self._referrer_policy == "no-referrer":
            return "null"
        return pages.origin(self.page.address)

    def _show(self, response: httpx2.Response) -> None:
        kind = media_type(response)
        is_page = kind in {"text/html", "application/xhtml+xml"}
        if response.status_code == HTTPStatus.OK and not is_page:
            raise DeviceRefused(_REACTION, f"a sign-in answer of the type {kind or 'none'} is no page")
        content = response.content if is_page else b""
        guesses = not self._is_home(response.url)
        self.page = pages.read(response.url, content, response.encoding or "utf-8", guesses=guesses)
        self.policies = response.headers.get_list("Content-Security-Policy")
        self._referrer_policy = response.headers.get("Referrer-Policy", "").rpartition(",")[2].strip().lower()
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise self.refusal(response.status_code)
        if response.status_code != HTTPStatus.OK:
            raise DeviceRefused(_REACTION, f"the sign-in was answered {response.status_code}")

    def refusal(self, status: int) -> TurnedAway:
        page = self.page
        sentence = (page.alert or page.text) if page else ""
        return TurnedAway(
            _REACTION,
            f"the sign-in page answered {status}: {sentence or 'without a word'}",
            status=status,
            code=page.code if page else "",
            sentence=sentence,
        )


def with_identifier(address: str, identifier: str) -> str:
    """Append the query item and keep what is there."""
    separator = "&" if urlsplit(address).query else "?"
    return f"{address.rstrip('?')}{separator}{who(identifier)}"


def callback_token(response: httpx2.Response) -> str:
    """The one end of the sheet that gives a token."""
    location = response.headers["Location"]
    target = urlsplit(location)
    if target.scheme != pages.CALLBACK_SCHEME:
        raise DeviceRefused(_REACTION, f"a redirect to the scheme {target.scheme!r}")
    if response.status_code != HTTPStatus.PERMANENT_REDIRECT:
        raise DeviceRefused(_REACTION, f"the callback came with status {response.status_code}, not 308")
    if not location.startswith(f"{pages.CALLBACK_SCHEME}://authentication-results?") or target.fragment:
        raise DeviceRefused(
            _REACTION, "the callback is not apple-remotemanagement-user-login://authentication-results?"
        )
    tokens = [value for name, value in parse_qsl(target.query, keep_blank_values=True) if name == "access-token"]
    if len(tokens) != 1 or not _TOKEN.fullmatch(tokens[0]):
        raise DeviceRefused(_REACTION, "the callback has not exactly one access-token of URL-safe letters")
    if "no-store" not in response.headers.get("Cache-Control", ""):
        raise DeviceRefused(_REACTION, "the answer with the token may be stored: Cache-Control lacks no-store")
    return tokens[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What the one at the device knows; a field already filled in is left alone unless `retype` says otherwise."""

    user: str
    password: str | None = field(default=None, repr=False)
    pin: str | None = field(default=None, repr=False)
    retype: bool = False

    def knows(self, purpose: str) -> str | None:
        return {"username": self.user, "current-password": self.password, "one-time-code": self.pin}[purpose]


def sign_in(sheet: WebSheet, address: str, person: Person) -> str:
    """Walk the pages as a person does: type where the form asks, accept what must be accepted."""
    sheet.open(address)
    entered: set[str] = set()
    while sheet.token is None:
        form = _form_to_send(sheet.page)
        secrets = {item.purpose for item in form.fields} & _SECRETS
        if secrets & entered:
            raise sheet.refusal(HTTPStatus.OK)  # asked again: what was typed did not do
        entered |= secrets
        sheet.submit(form, _typed(form, person))
    return sheet.token


def _form_to_send(page: pages.Page | None) -> pages.Form:
    """The one that asks for a secret, else the first that changes something, as a consent page has."""
    forms = page.forms if page else ()
    for form in sorted(forms, key=lambda form: (not form.signs_in, form.method != "post")):
        return form
    raise DeviceRefused(_REACTION, "the page has no form to go on with")


def _typed(form: pages.Form, person: Person) -> dict[str, str]:
    """Fields are told apart by what a password manager goes by: `type` and `autocomplete`."""
    entries: dict[str, str] = {}
    for item in form.fields:
        if item.kind == "password" and item.purpose not in _SECRETS:
            raise DeviceRefused(_REACTION, "a password field without autocomplete=current-password: nothing fills it")
        if item.purpose not in {"username", *_SECRETS}:
            if item.required and not item.value:
                raise DeviceRefused(_REACTION, f"the person cannot know what belongs into the field {item.name!r}")
        elif not item.value or item.purpose in _SECRETS or person.retype:
            value = person.knows(item.purpose)
            if value is None:
                raise DeviceRefused(_REACTION, f"the page asks for a {item.purpose} and the person has none")
            entries[item.name] = value
    return entries
