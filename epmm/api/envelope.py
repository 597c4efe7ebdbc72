"""The form of what EPMM's V2 API answers."""

import time
from collections.abc import Sequence
from typing import Any, Final, Literal

from epmm.api.errors import PREFIX, Problem, Said

Json = dict[str, Any]
NO_STORE: Final = {"Cache-Control": "no-store"}


def message(key: str, sentence: Said, *, kind: Literal["Info", "Error"] = "Info") -> Json:
    return {"type": kind, "messageKey": PREFIX + key, "localizedMessage": str(sentence)}


def refusal(problem: Problem) -> Json:
    return {"messages": [message(problem.key, problem.sentence, kind="Error")]}


def one(results: Any) -> Json:
    return {"results": results}


def page(results: Sequence[Any], *, total: int, has_more: bool, messages: Sequence[Json] = ()) -> Json:
    return {
        "results": list(results),
        "totalCount": total,
        "resultCount": len(results),
        "hasMore": has_more,
        "messages": list(messages),
    }


def timed(body: Json, *, began: float) -> Json:
    """With what device searches tell besides; `began` by `time.perf_counter`."""
    taken = round((time.perf_counter() - began) * 1000)
    return body | {"searchTimeMillis": taken, "currentServerTimeMilliseconds": int(time.time() * 1000)}
