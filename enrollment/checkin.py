"""What the device door calls for everything that is not a connect; `epmm/asgi.py` hands it over."""

from django.db import OperationalError

from devices.door.exchange import JSON, PLIST, Answer, DeviceRequest
from devices.errors import UserNotManaged
from devices.protocol import declarative as protocol
from devices.protocol.bootstrap import GetBootstrapToken, SetBootstrapToken, render_bootstrap_token
from devices.protocol.checkin import (
    Authenticate,
    CheckOut,
    DeclarativeManagement,
    GetToken,
    TokenUpdate,
    UserAuthenticate,
    decode_checkin,
)
from devices.services import declaration_status, declarative
from enrollment.services import checkin
from epmm import failover
from epmm.wire.errors import WireError


class CheckinHandlers:
    def check_in(self, request: DeviceRequest) -> Answer:
        """Messages lock the enrollment before its record, whoever reads answers or acts on a device the other way.

        A device sends its CheckOut once: it is not lost for that.
        """
        try:
            return self._check_in(request)
        except OperationalError as error:
            if not failover.is_deadlock(error):
                raise
            return self._check_in(request)

    @staticmethod
    def _check_in(request: DeviceRequest) -> Answer:
        match decode_checkin(request.body):
            case Authenticate() as message:
                checkin.accept_authenticate(message, request)
            case TokenUpdate() as message:
                checkin.accept_token_update(message, request)
            case CheckOut() as message:
                checkin.accept_check_out(message, request)
            case SetBootstrapToken() as message:
                checkin.store_bootstrap_token(message.sender, message.token, request)
            case GetBootstrapToken() as message:
                token = checkin.serve(message.sender, request).bootstrap_token
                return Answer(body=render_bootstrap_token(token), content_type=PLIST)
            case UserAuthenticate() as message:
                checkin.serve(message.sender, request)
                raise UserNotManaged
            case GetToken() as message:
                checkin.serve(message.sender, request)
                raise WireError("TokenServiceType: not served here")
            case DeclarativeManagement() as message:
                return _declarative(message, request)
        return Answer.EMPTY

    def recognize(self, request: DeviceRequest) -> int | None:
        return checkin.identity_of(request).enrollment.device_id

    def explain(self, request: DeviceRequest, device_key: str) -> None:
        checkin.explain(request, device_key)


def _declarative(message: DeclarativeManagement, request: DeviceRequest) -> Answer:
    channel = checkin.channel_of(message.sender, request)
    about = {"endpoint": message.endpoint.partition("/")[0]}
    match message.endpoint:
        case protocol.STATUS:
            declaration_status.accept(channel, message.data, came_at=request.came_at)
            return Answer(about=about)
        case protocol.TOKENS:
            body = declarative.tokens(channel)
        case protocol.DECLARATION_ITEMS:
            body = declarative.manifest(channel, came_at=request.came_at)
        case endpoint:
            body = declarative.declaration(channel, *protocol.read_declaration_endpoint(endpoint))
    return Answer(body=body, content_type=JSON, about=about)
