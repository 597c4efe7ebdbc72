"""One device from the typed account to its identity certificate: a method for each step of the protocol.

Every step may be repeated, as a device repeats it when an answer is lost, and what it sends may be changed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import httpx2
from cryptography.hazmat.primitives.asymmetric import rsa

from enrollment.simulator import challenge, cms, discovery, envelope, oauth, profile, scep, scep_message
from enrollment.simulator.hardware import Hardware
from enrollment.simulator.identity import Authority, Identity, KeyMaker, name_of, new_rsa_key
from enrollment.simulator.messages import Membership, new_uuid
from enrollment.simulator.network import Network
from enrollment.simulator.refusal import DeviceRefused
from enrollment.simulator.web_sheet import Person, WebSheet, sign_in, with_identifier

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the observer hears: one step of the protocol, through or not."""

    name: str
    detail: str
    seconds: float
    problem: str = ""


@dataclass(eq=False, repr=False)
class Enrollee:
    """A device on its way to be managed; the fields are what a test may turn."""

    identifier: str
    _: KW_ONLY
    hardware: Hardware = field(default_factory=Hardware.new)
    network: Network = field(default_factory=Network)
    maker: Authority = field(default_factory=lambda: Authority.new(name_of("EPMM Laboratory Device CA")))
    ports: Mapping[str, int] = field(default_factory=dict)  # of hosts that do not listen on 443
    new_key: KeyMaker = new_rsa_key
    observer: Callable[[Step], None] = lambda _: None
    machine_info_form: cms.SignatureForm = field(default_factory=cms.SignatureForm)
    managed_apple_account: str | None = None  # None: whatever the profile names is this person's
    apple_sign_in_seconds: float = 0.0
    verifier: str = ""  # of PKCE, which Apple's example does without

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Back to where no enrollment ever was."""
        self.server: discovery.Server | None = None
        self.enrollment_body = b""
        self.asked: challenge.Asked | None = None
        self.refresh_token: str | None = None
        self.sheet: WebSheet | None = None
        self.code: str | None = None
        self.token: str | None = None
        self.profile: profile.EnrollmentProfile | None = None
        self.member: Membership | None = None
        self.identity: Identity | None = None
        self._scep: tuple[scep_message.Responder, scep_message.Request] | None = None

    def discover(self) -> discovery.Server:
        with self.step("discovery") as note:
            address = discovery.well_known(self.identifier, self.hardware.family, self.ports)
            self.server = discovery.ask(self.network.client, address)
            note(f"{self.server.version} at {httpx2.URL(self.server.base_url).netloc.decode()}")
        return self.server

    def request_challenge(self, body: bytes | None = None, **changes: Any) -> str:
        """The first POST; `changes` alter MachineInfo, `body` replaces the whole signed message."""
        server = self.need(self.server, "discover")
        with self.step("enrollment request") as note:
            information = challenge.machine_info(self.hardware, server.enrollment_mode, **changes)
            signed = body if body is not None else cms.sign(information, self.built_in, form=self.machine_info_form)
            self.enrollment_body = signed
            self.asked = challenge.read(self.post_enrollment())
            note("challenged to sign in")
        return self.asked.address

    @property
    def sign_in_url(self) -> str | None:
        return self.asked.address if self.asked else None

    def sign_in(
        self, *, password: str | None = None, pin: str | None = None, user: str | None = None, retype: bool = False
    ) -> str:
        """The person in the sheet.  `user` is typed where the page does not know the name yet, or with `retype`."""
        asked = self.need(self.asked, "request_challenge")
        with self.step("sign-in") as note:
            self.sheet = WebSheet(self.network.browser(), self.hardware)
            person = Person(user=user or self.identifier, password=password, pin=pin, retype=retype)
            if asked.is_oauth:
                request = oauth.Request(asked=asked, identifier=self.identifier, verifier=self.verifier)
                self.sheet.read_callback = request.code
                self.code = sign_in(self.sheet, request.address, person)
                self.keep(oauth.exchange(self.network.client, request, self.code))
            else:
                self.token = sign_in(self.sheet, with_identifier(asked.address, self.identifier), person)
                self.refresh_token = None
            note("token received")
        return self.need(self.token, "sign_in")

    def keep(self, tokens: oauth.Tokens) -> None:
        self.token, self.refresh_token = tokens.access_token, tokens.refresh_token

    def renew_token(self) -> None:
        """Without the person."""
        asked = self.need(self.asked, "request_challenge")
        with self.step("token renewal"):
            self.keep(oauth.renew(self.network.client, asked, self.need(self.refresh_token, "sign_in")))

    def fetch_profile(self) -> profile.EnrollmentProfile:
        """The second POST: the same body with the bearer."""
        server, token = self.need(self.server, "discover"), self.need(self.token, "sign_in")
        with self.step("profile") as note:
            response = self.post_enrollment({"Authorization": f"Bearer {token}"})
            self.profile = profile.receive(response, mode=server.enrollment_mode)
            user = self.identifier.rpartition("@")[0]
            self.member = Membership(hardware=self.hardware, profile=self.profile, user=user)
            self._scep = None
            signed = "signed" if self.profile.signer else "not signed"
            note(f"{self.profile.mode} for {self.profile.managed_apple_account}, {signed}")
        return self.profile

    def sign_in_with_apple(self) -> None:
        """Nothing of it reaches the server, but the minutes pass and the account must be the person's."""
        assigned = self.need(self.profile, "fetch_profile").managed_apple_account
        with self.step("Apple sign-in") as note:
            time.sleep(self.apple_sign_in_seconds)
            if self.managed_apple_account not in {None, assigned}:
                raise DeviceRefused("cannot sign in with Apple", f"the profile assigns another account: {assigned}")
            note(assigned)

    def get_identity(
        self,
        *,
        key: rsa.RSAPrivateKey | None = None,
        challenge: str | None = None,
        cipher: envelope.CipherName | None = None,
        method: scep.Method = "POST",
    ) -> Identity:
        """Ask by SCEP.  Asked again it is the same transaction, unless key, challenge or cipher are others."""
        settings = self.need(self.profile, "fetch_profile").scep
        with self.step("certificate") as note:
            if self._scep is None or key or challenge is not None or cipher:
                responder = scep.look_up(self.network.client, settings)
                request = scep_message.compose(
                    settings, responder, key or self.new_key(), challenge=challenge, cipher=cipher or "aes256_cbc"
                )
                self._scep = responder, request
            self.identity = scep.exchange(self.network.client, settings, *self._scep, method=method)
            note(f"serial number {self.identity.certificate.serial_number:x}")
        return self.identity

    @cached_property
    def built_in(self) -> Identity:
        """The certificate the device left the factory with."""
        return self.maker.issue(name_of(new_uuid()), self.new_key())

    def post_enrollment(self, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """The enrollment request as it is, its answer as it came."""
        server = self.need(self.server, "discover")
        return challenge.post(self.network.client, server.base_url, self.enrollment_body, headers)

    def close(self) -> None:
        self.network.close()

    @property
    def membership(self) -> Membership:
        return self.need(self.member, "fetch_profile")

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        details: list[str] = []
        begin = time.monotonic()
        try:
            yield details.append
        except DeviceRefused as error:
            self.observer(Step(name=name, detail="", seconds=time.monotonic() - begin, problem=str(error)))
            raise
        self.observer(Step(name=name, detail="".join(details), seconds=time.monotonic() - begin))

    def need(self, value: T | None, step: str) -> T:
        if value is None:
            raise RuntimeError(f"call {step}() first")
        return value
