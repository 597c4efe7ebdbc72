"""Why a device does not go on."""


class DeviceRefused(Exception):
    """The server's answer is one that a real device does not accept."""

    def __init__(self, reaction: str, reason: str) -> None:
        super().__init__(f"a device {reaction}: {reason}")
        self.reaction = reaction
        self.reason = reason


class TurnedAway(DeviceRefused):
    """The server said no in a way the protocol provides: a coded error body or a page with an alert."""

    def __init__(self, reaction: str, reason: str, *, status: int, code: str = "", sentence: str = "") -> None:
        super().__init__(reaction, reason)
        self.status = status
        self.code = code
        self.sentence = sentence


class NoAnswer(DeviceRefused):
    """No answer came: the name, the connection or the trust in it failed.  The step may be repeated."""
