"""How much is let in at once: what is more is turned away instead of waiting."""

from typing import Self


class Overloaded(Exception):
    """More at once than we let wait; who asked will come again."""


class Gate:
    """What is still free behind it: places, or bytes."""

    __slots__ = ("free",)

    def __init__(self, free: int) -> None:
        self.free = free


class Visit:
    """What one caller holds of a gate, until its block ends; less than `least` is free."""

    __slots__ = ("_gate", "_held", "_least")

    def __init__(self, gate: Gate, *, least: int = 1) -> None:
        self._gate = gate
        self._least = least
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.free += self._held

    def hold(self, amount: int = 1) -> None:
        """So much in all, from now on."""
        if amount < self._least:
            return
        more = amount - self._held
        if more > self._gate.free:
            raise Overloaded
        self._gate.free -= more
        self._held = amount
