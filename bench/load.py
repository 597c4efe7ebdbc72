"""Sends requests for some seconds from another process: wrk where there is one."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from bench.contenders import Contender
from bench.scenarios import UDID, UUID_PLACE, Request, Scenario
from bench.site import ROOT

OK: Final = 200
HAS_WRK: Final = shutil.which("wrk") is not None
SCRIPT: Final = Path(__file__).with_suffix(".lua")
WARNING: Final = "wrk is not installed: a client in Python takes its place, and much of the processors\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    answered: int  # with 200
    seconds: float
    errors: int
    p50: float  # milliseconds
    p99: float
    sent: int  # of the requests, from the first one on; of those to be sent once
    exhausted: int  # requests that went out again because there was no other


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    directory: Path
    header: str
    seconds: int

    def write(self, scenario: Scenario, requests: Sequence[Request]) -> None:
        with (self.directory / "fields").open("w") as file:
            file.writelines(f"{r.proof}\t{r.device.udid}\t{_text(r)}\n" for r in requests)
        (self.directory / "template").write_bytes(scenario.message())

    def run(self, url: str, scenario: Scenario, concurrency: int) -> Load:
        header = "Mdm-Signature" if scenario.is_signed else self.header
        how = "once" if scenario.answers else "repeat"
        given = [header, str(self.directory / "fields"), str(self.directory / "template"), how]
        done = subprocess.run(
            [*self._program(url, concurrency), *given], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
        )
        return Load(**json.loads(done.stdout.strip().splitlines()[-1]))

    def _program(self, url: str, concurrency: int) -> list[str]:
        shape = ["-c", str(concurrency), "-d", str(self.seconds)]
        if HAS_WRK:
            return ["wrk", "-t1", *shape, "--timeout", "10", "--latency", "-s", str(SCRIPT), url, "--"]
        return [sys.executable, "-m", "bench.load_client", *shape, url]


class Caller:
    """One device after the other, over one connection, and each must be answered with 200."""

    def __init__(self, url: str, contender: Contender) -> None:
        self._parts = urlsplit(url)
        self._contender = contender
        self._line = HTTPConnection(self._parts.hostname or "", self._parts.port, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def send(self, scenario: Scenario, request: Request) -> bytes:
        name = "Mdm-Signature" if scenario.is_signed else self._contender.header
        said = scenario.message().replace(UDID.encode(), request.device.udid.encode())
        said = said.replace(UUID_PLACE.encode(), _text(request).encode())
        self._line.request("PUT", self._parts.path, said, {name: request.proof})
        response = self._line.getresponse()
        content = response.read()
        if response.status != OK:
            raise SystemExit(f"{self._contender.name}, {scenario.name}: an answer was {response.status}, not 200")
        return content


def _text(request: Request) -> str:
    return str(request.command).upper() if request.command else ""
