"""What a device of the fault harness does about its declarations: it fetches what is new, and reports."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bench.fleet_declared import CAN
from bench.holders import declaration_of, manifest_of, report, states, token_of
from enrollment.simulator.declarative import Manifest

COMMAND: Final = "DeclarativeManagement"
NUMBER: Final = "test.number"  # the item in which each report has its own
Ask = Callable[[str, bytes], Awaitable[bytes]]  # endpoint and data of one message; whoever gets no 200 learns nothing


@dataclass(frozen=True, slots=True)
class Holds:
    manifest: Manifest = field(default_factory=lambda: Manifest("", {}))
    number: int = 0  # of the last report that was told 200


class Holder:
    """One channel.  What is interrupted begins anew, but for a report: that is said again, and the next one waits."""

    def __init__(self) -> None:
        self.holds = Holds()
        self.is_behind = False  # it was told to synchronize, and has not yet
        self._report = b""  # not known to be kept

    @property
    def is_unsure(self) -> bool:
        return self.is_behind or self._report != b""

    async def talk(self, ask: Ask, *, has_news: bool = False, full: bool = False) -> None:
        """With news it reports also what nobody asked for."""
        await self._tell(ask)
        if self.is_behind:
            await self._synchronize(ask)
        elif has_news and self.holds.manifest.token:
            self._report = self._made(full=full)
        await self._tell(ask)

    async def _synchronize(self, ask: Ask) -> None:
        held = self.holds.manifest
        if token_of(await ask("tokens", b"")) != held.token:
            new = manifest_of(await ask("declaration-items", b""))
            for name, server_token in new.items.items() - held.items.items():
                declaration_of(await ask("/".join(("declaration", *name)), b""), name, server_token)
            self.holds = replace(self.holds, manifest=new)
            self._report = self._made(full=not held.token)
        self.is_behind = False

    def _made(self, *, full: bool) -> bytes:
        of_it: dict[str, Any] = {"declarations": states(self.holds.manifest.items)}
        if full:
            of_it["client-capabilities"] = CAN
        return report({"management": of_it, "test": {"number": self.holds.number + 1}}, full=full)

    async def _tell(self, ask: Ask) -> None:
        if self._report:
            await ask("status", self._report)
            self._report = b""
            self.holds = replace(self.holds, number=self.holds.number + 1)
