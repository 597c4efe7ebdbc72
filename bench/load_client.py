"""What takes wrk's place where it is not installed: same arguments, same last line."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import uvloop

from bench.line import OK, Line


@dataclass(slots=True)
class Account:
    deadline: float
    answered: int = 0
    errors: int = 0
    exhausted: int = 0
    sent: int = 0
    latencies: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Words:
    """What stands around the fields of a request."""

    url: SplitResult
    header: str
    template: bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", type=int, required=True)
    parser.add_argument("-d", type=int, required=True)
    for name in ("url", "header", "fields", "template", "how"):
        parser.add_argument(name)
    options = parser.parse_args()
    words = Words(urlsplit(options.url), options.header, Path(options.template).read_bytes())
    lines = Path(options.fields).read_text().splitlines()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        started = time.perf_counter()
        account = Account(deadline=started + options.d)
        runner.run(_all(words, lines, account, options))
        seconds = time.perf_counter() - started
    waits = sorted(account.latencies) or [0.0]
    told = {
        "answered": account.answered,
        "seconds": seconds,
        "errors": account.errors,
        "p50": waits[len(waits) // 2] * 1000,
        "p99": waits[len(waits) * 99 // 100] * 1000,
        "sent": account.sent,
        "exhausted": account.exhausted,
    }
    sys.stdout.write(json.dumps(told) + "\n")


async def _all(words: Words, lines: list[str], account: Account, options: argparse.Namespace) -> None:
    waiting = _in_turn(lines, account, is_once=options.how == "once")
    await asyncio.gather(*(_one(words, waiting, account) for _ in range(options.c)))


def _in_turn(lines: list[str], account: Account, *, is_once: bool) -> Iterator[str]:
    for line in lines if is_once else chain.from_iterable(repeat(lines)):
        account.sent += 1
        yield line
    while True:
        account.exhausted += 1
        yield lines[-1]


async def _one(words: Words, waiting: Iterator[str], account: Account) -> None:
    line = await Line.open(words.url)
    while (begun := time.perf_counter()) < account.deadline:
        proof, device, command = next(waiting).split("\t")
        said = words.template.replace(b"@UDID@", device.encode()).replace(b"@UUID@", command.encode())
        status, _ = await line.put(said, words.header, proof)
        account.answered += status == OK
        account.errors += status != OK
        account.latencies.append(time.perf_counter() - begun)
    line.close()


if __name__ == "__main__":
    main()
