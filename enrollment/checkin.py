"""What the device door calls for everything that is not a connect; `epmm/asgi.py` hands it over."""

import hashlib
from typing import Final

from devices.door.exchange import JSON, PLIST, Answer, DeviceRequest
from devices.errors import DeclarationGone, UserNotManaged
from devices.models import StatusReport
from devices.protocol import declarative
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
from enrollment.services import checkin
from epmm.wire.errors import WireError

NO_DECLARATIONS: Final = hashlib.sha256(b"[]").hexdigest()  # the token of the empty set


class CheckinHandlers:
    def check_in(self, request: DeviceRequest) -> Answer:
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

    def explain(self, request: DeviceRequest, device_key: str) -> None:
        checkin.explain(request, device_key)


def _declarative(message: DeclarativeManagement, request: DeviceRequest) -> Answer:
    channel = checkin.channel_of(message.sender, request)
    if message.endpoint == declarative.TOKENS:
        body = declarative.render_tokens(declarations_token=NO_DECLARATIONS, timestamp=channel.created_at)
        return Answer(body=body, content_type=JSON)
    if message.endpoint == declarative.DECLARATION_ITEMS:
        return Answer(body=declarative.render_no_declarations(declarations_token=NO_DECLARATIONS), content_type=JSON)
    if message.endpoint == declarative.STATUS:
        StatusReport.objects.keep(channel, message.data)
        return Answer.EMPTY
    if message.endpoint.startswith(declarative.DECLARATION):
        raise DeclarationGone
    raise WireError("Endpoint: unknown")
