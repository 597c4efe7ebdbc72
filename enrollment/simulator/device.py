"""One device as the server manages it, from `Authenticate` to the sign-out."""

import plistlib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import httpx2

from enrollment.simulator import challenge, cms, commands, facts, failures, messages, profile
from enrollment.simulator.declarative import Declarations
from enrollment.simulator.enrollee import Enrollee
from enrollment.simulator.mdm_link import CHECK_IN, COMMAND, MdmLink, Proof, accepted, dictionary, without_content
from enrollment.simulator.messages import Channel
from enrollment.simulator.network import follow
from enrollment.simulator.refusal import DeviceRefused, TurnedAway

_COMMANDS_OF_ONE_SESSION = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    request_type: str
    command_uuid: str
    status: str


@dataclass(frozen=True, slots=True)
class _Result:
    """The answer to a command, kept until the server has accepted it."""

    command: commands.Command
    message: dict[str, Any]


@dataclass(eq=False, repr=False)
class SimulatedDevice(Enrollee):
    """The whole device, enrolled or not."""

    _: KW_ONLY
    message_form: cms.SignatureForm = field(default_factory=cms.SignatureForm)
    proof: Proof | None = None  # None: as the profile says
    not_now: set[str] = field(default_factory=set)  # request types that have to wait
    answers: dict[str, commands.Handler] = field(default_factory=dict)  # instead of the device's own
    agrees_to_apps: bool | None = True  # what the person says when asked; None: nothing yet

    def forget(self) -> None:
        super().forget()
        self.enrolled = False
        self.declarations = {channel: Declarations(channel) for channel in Channel}
        self._commands: commands.Commands | None = None
        self._unsent: dict[Channel, _Result] = {}

    def enroll(self, *, password: str | None = None, pin: str | None = None) -> None:
        """From nothing to managed; whatever an earlier enrollment left is forgotten."""
        self.forget()
        self.discover()
        self.request_challenge()
        self.sign_in(password=password, pin=pin)
        self.fetch_profile()
        self.sign_in_with_apple()
        self.get_identity()
        self.authenticate()
        for channel in self.membership.channels:
            self.token_update(channel)
        if self.membership.escrows_bootstrap_token:
            self.set_bootstrap_token()

    # --- Check-in -----------------------------------------------------------------------------------------------------

    def authenticate(self, **changes: Any) -> None:
        with self.step("Authenticate"):
            without_content(self.check_in("Authenticate", **changes), "Authenticate")

    def token_update(self, channel: Channel = Channel.DEVICE, **changes: Any) -> None:
        with self.step("TokenUpdate") as note:
            without_content(self.check_in("TokenUpdate", channel, **changes), "TokenUpdate")
            self.enrolled = True
            note(f"{channel} channel")

    def check_out(self, **changes: Any) -> None:
        """The person signs out; the device forgets the enrollment whatever the server says."""
        with self.step("CheckOut"):
            self.enrolled = False
            without_content(self.check_in("CheckOut", **changes), "CheckOut")

    def set_bootstrap_token(self, token: bytes = b"bootstrap token of a laboratory") -> None:
        with self.step("SetBootstrapToken"):
            response = self.check_in("SetBootstrapToken", BootstrapToken=token, AwaitingConfiguration=False)
            without_content(response, "SetBootstrapToken")

    def get_bootstrap_token(self) -> bytes:
        """Empty when the server has none."""
        response = accepted(self.check_in("GetBootstrapToken", AwaitingConfiguration=False), "GetBootstrapToken")
        token = dictionary(response.content, "GetBootstrapToken").get("BootstrapToken") if response.content else b""
        if not isinstance(token, bytes):
            raise DeviceRefused("cannot read the answer", "BootstrapToken is not data")
        return token

    def check_in(
        self,
        message_type: str,
        channel: Channel = Channel.DEVICE,
        *,
        headers: Mapping[str, str | None] | None = None,
        **changes: Any,
    ) -> httpx2.Response:
        """Any check-in message, its answer as it came.  `changes` add and replace keys; None leaves one out."""
        member = self.membership
        message = messages.compose(member, message_type, channel) | changes
        return self._put(member.profile.check_in_url, message, CHECK_IN, channel, headers)

    # --- Commands -----------------------------------------------------------------------------------------------------

    def connect(self, channel: Channel = Channel.DEVICE) -> list[Executed]:
        """One session: Idle, or the result that got lost last time, then one command after the other."""
        executed: list[Executed] = []
        with self.step("connect") as note:
            result = self._unsent.get(channel)
            while (command := self._report(result, channel)) is not None:
                if len(executed) == _COMMANDS_OF_ONE_SESSION:
                    raise DeviceRefused("gives up", f"more than {_COMMANDS_OF_ONE_SESSION} commands in one session")
                if Executed(request_type=command.request_type, command_uuid=command.uuid, status="NotNow") in executed:
                    raise DeviceRefused("goes round in circles", "a command came back right after its NotNow")
                result = self._execute(command, channel)
                status = result.message["Status"]
                executed.append(Executed(request_type=command.request_type, command_uuid=command.uuid, status=status))
            done = ", ".join(f"{item.request_type} {item.status}" for item in executed)
            note(f"{channel} channel: {done or 'nothing to do'}")
        return executed

    def send_status(
        self,
        status: str,
        channel: Channel = Channel.DEVICE,
        *,
        headers: Mapping[str, str | None] | None = None,
        **changes: Any,
    ) -> httpx2.Response:
        """Any message to ServerURL, its answer as it came: `send_status("Acknowledged", CommandUUID=...)`."""
        member = self.membership
        message = {**messages.identifiers(member, channel), "Status": status, **changes}
        return self._put(member.profile.server_url, message, COMMAND, channel, headers)

    def declarative(
        self, endpoint: str, data: bytes | None = None, channel: Channel = Channel.DEVICE
    ) -> httpx2.Response:
        return self.check_in("DeclarativeManagement", channel, Endpoint=endpoint, Data=data)

    def synchronize(self, channel: Channel = Channel.DEVICE, announced: bytes | None = None) -> None:
        """What a DeclarativeManagement command starts; `announced` are the tokens that came with it."""
        with self.step("declarations") as note:
            held = self.declarations[channel].synchronize(
                lambda endpoint, data: self.declarative(endpoint, data, channel),
                self._download,
                announced,
                self._state(),
            )
            note(f"{channel} channel: {held} held")

    def report_status(self, channel: Channel = Channel.DEVICE, *, full: bool = False) -> None:
        """What has changed since the last report; `full` is what a device sends once a day."""
        with self.step("status report") as note:
            self.declarations[channel].report(
                lambda endpoint, data: self.declarative(endpoint, data, channel), self._state(), full=full
            )
            note(f"{channel} channel")

    def _state(self) -> dict[str, Any]:
        managed = self._commands.managed_applications() if self._commands is not None else []
        return facts.status_items(self.hardware, managed, is_user_enrollment=self.membership.is_user_enrollment)

    def _download(self, url: str) -> httpx2.Response:
        client = self.network.presenting(self.need(self.identity, "get_identity"))
        return follow(client, client.build_request("GET", url))

    def renew(self, update: profile.EnrollmentProfile) -> None:
        """Install a new version of the enrollment profile: new identity, check-in again, or everything as before."""
        member = self.membership
        before = self.profile, self.member, self.identity, self._scep
        try:
            profile.check_update(member.profile, update)
            self.profile, self.member, self._scep = update, replace(member, profile=update), None
            self.get_identity()
            self.authenticate()
            self.token_update()
        except DeviceRefused:
            self.profile, self.member, self.identity, self._scep = before
            raise

    def _report(self, result: _Result | None, channel: Channel) -> commands.Command | None:
        """Tell the server what happened, keep it until it is accepted, and take what comes back."""
        member = self.membership
        message = result.message if result else messages.idle(member, channel)
        if result:
            self._unsent[channel] = result
        response = accepted(self._put(member.profile.server_url, message, COMMAND, channel), "its result")
        self._unsent.pop(channel, None)
        if result and message["Status"] == "Acknowledged" and self._follow_up(result.command, channel):
            return None
        return commands.read(response)

    def _execute(self, command: commands.Command, channel: Channel) -> _Result:
        member, identity = self.membership, self.need(self.identity, "get_identity")
        if self._commands is None:
            self._commands = commands.Commands(member, identity, self.answers, lambda: self.agrees_to_apps)
        self._commands.member, self._commands.identity = member, identity
        if command.request_type in self.not_now:
            if not self.hardware.family.is_mac and command.request_type in commands.ALWAYS_ANSWERED_BY_PHONES:
                raise ValueError(f"an {self.hardware.family} never answers NotNow to {command.request_type}")
            answer: dict[str, Any] = {"Status": "NotNow"}
        elif self._commands.is_own_enrollment(command):
            answer = self._replace_profile(command)
        else:
            answer = self._commands.answer(command)
        return _Result(command, {**messages.identifiers(member, channel), "CommandUUID": command.uuid, **answer})

    def _replace_profile(self, command: commands.Command) -> dict[str, Any]:
        member = self.membership
        try:
            self.renew(profile.read(command.keys["Payload"], mode=member.profile.mode))
        except DeviceRefused as error:
            return failures.failed("MCInstallationErrorDomain", 4001, str(error))
        return {"Status": "Acknowledged"}

    def _follow_up(self, command: commands.Command, channel: Channel) -> bool:
        """What happens after the server knows the result; True when the enrollment is over."""
        if command.request_type == "DeclarativeManagement":
            self.synchronize(channel, command.keys.get("Data"))
        if self._commands is None or not self._commands.ends_enrollment(command):
            return False
        self.enrolled = False
        if command.request_type == "RemoveProfile" and self.membership.profile.check_out_when_removed:
            self.check_out()
        return True

    def put(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str = CHECK_IN,
        channel: Channel = Channel.DEVICE,
        headers: Mapping[str, str | None] | None = None,
    ) -> httpx2.Response:
        """Any bytes to any address, with the proof of identity and the bearer that a message of this channel has."""
        member = self.membership
        by_profile = Proof.SIGNATURE if member.profile.sign_message else Proof.TLS
        link = MdmLink(
            network=self.network,
            user_agent="MDM-OSX/1.0 mdmclient/1547" if self.hardware.family.is_mac else "MDM/1.0",
            identity=self.need(self.identity, "get_identity"),
            token=self.token,
            proof=self.proof or by_profile,
            form=self.message_form,
        )
        bearer = member.carries_bearer(channel)
        response = link.put(url, body, content_type=content_type, bearer=bearer, headers=headers)
        if response.status_code != httpx2.codes.UNAUTHORIZED:
            return response
        if not bearer:
            raise DeviceRefused("removes its enrollment profile", "a request without a bearer was challenged")
        self.asked = challenge.read(response)
        if not self._renews_by_itself():
            return response
        link.token = self.token
        return link.put(url, body, content_type=content_type, bearer=bearer, headers=headers)

    def _renews_by_itself(self) -> bool:
        """With a refresh token; when that does not do either, the person is asked."""
        if self.refresh_token is None or self.asked is None or not self.asked.is_oauth:
            return False
        try:
            self.renew_token()
        except TurnedAway:
            self.refresh_token = None
            return False
        return True

    def _put(
        self,
        url: str,
        message: Mapping[str, Any],
        content_type: str,
        channel: Channel,
        headers: Mapping[str, str | None] | None = None,
    ) -> httpx2.Response:
        body = plistlib.dumps({key: value for key, value in message.items() if value is not None})
        return self.put(url, body, content_type=content_type, channel=channel, headers=headers)
