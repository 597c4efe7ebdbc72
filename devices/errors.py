"""Why a device is not served.  The door turns each into its answer; none becomes a 401."""


class DeviceRefused(Exception):
    """403 without a body: the message is refused, the device stays enrolled.  The argument is for the log."""


class UnrecognizedDevice(Exception):
    """403 with Apple's code: the device may leave management.  Raised on purpose only, for an ended enrollment."""


class UserNotManaged(Exception):
    """410: the answer to UserAuthenticate for a network user that we do not manage."""


class DeclarationGone(Exception):
    """404: a device that asked for this declaration drops its copy."""


class ReauthenticationNeeded(Exception):
    """401 with a challenge, which is never left out: the bearer has expired, and the person is to sign in again."""

    def __init__(self, challenge: str) -> None:
        super().__init__("the bearer has expired")
        self.challenge = challenge
