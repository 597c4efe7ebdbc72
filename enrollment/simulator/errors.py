"""The coded error bodies of a 403: what the device can read of a refusal."""

import json
import plistlib
from dataclasses import dataclass
from typing import Any

import httpx2

from enrollment.simulator.network import media_type


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedError:
    code: str = ""
    description: str = ""
    message: str = ""


def coded_error(response: httpx2.Response) -> CodedError:
    """Empty when the body is not an error of Apple's form, or when its type does not say so."""
    source = _dictionary(response)
    texts = {key: source[key] for key in ("code", "description", "message") if isinstance(source.get(key), str)}
    return CodedError(**texts) if texts.get("code") else CodedError()


def _dictionary(response: httpx2.Response) -> dict[str, Any]:
    kind = media_type(response)
    try:
        if kind == "application/json":
            found = json.loads(response.content)
        elif kind in {"application/xml", "text/xml"}:
            found = plistlib.loads(response.content, fmt=plistlib.FMT_XML)
        else:
            return {}
    except Exception:  # noqa: BLE001 - plistlib lets nine types out, and an unreadable body says nothing
        return {}
    return found if isinstance(found, dict) else {}
