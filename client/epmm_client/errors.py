"""What can go wrong between here and the server; the argument is always a sentence for people."""

from collections.abc import Mapping, Sequence
from typing import Any


class EpmmError(Exception):
    pass


class NotConfigured(EpmmError):
    """It is not known which server, or no credentials for it."""


class Unreachable(EpmmError):
    """No answer, or none that can be trusted."""


class Ambiguous(EpmmError):
    """A name that means nobody, or more than one."""


class Refused(EpmmError):
    """The server has answered, and not with what was asked for."""

    def __init__(
        self, status: int, sentence: str, *, kind: str = "", request: str = "", places: Sequence[str] = ()
    ) -> None:
        super().__init__("\n".join([sentence, *places]))
        self.status, self.kind, self.request, self.places = status, kind, request, tuple(places)


def refusal(status: int, body: Any) -> Refused:
    """Of problem details (RFC 9457), or of the envelope that EPMM's own calls have."""
    told: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    if "detail" in told:
        places = [_place(each) for each in told.get("errors", ())]
        request = str(told.get("instance", "")).removeprefix("urn:request:")
        return Refused(status, str(told["detail"]), kind=str(told.get("type", "")), request=request, places=places)
    said = [str(each.get("localizedMessage", "")) for each in told.get("messages", ()) if isinstance(each, Mapping)]
    key = next((str(each.get("messageKey", "")) for each in told.get("messages", ())), "")
    return Refused(status, " ".join(said) or f"The server answered with status {status}.", kind=key)


def _place(error: Mapping[str, Any]) -> str:
    where = str(error.get("pointer", "")).removeprefix("#/") or str(error.get("parameter", ""))
    return f"{where}: {error.get('detail', '')}" if where else str(error.get("detail", ""))
