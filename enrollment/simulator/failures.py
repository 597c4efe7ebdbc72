"""How a command can fail, for the handlers that run it."""

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class CommandFormatError(Exception):
    """The command lacks what the device needs to run it."""


class CommandFailed(Exception):
    """The device understood and could not."""

    def __init__(self, domain: str, code: int, text: str) -> None:
        super().__init__(text)
        self.result = failed(domain, code, text)


def failed(domain: str, code: int, text: str) -> dict[str, Any]:
    link = {"ErrorCode": code, "ErrorDomain": domain, "LocalizedDescription": text, "USEnglishDescription": text}
    return {"Status": "Error", "ErrorChain": [link]}


def needed(keys: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = keys.get(name)
    if not isinstance(value, kind):
        raise CommandFormatError
    return value
