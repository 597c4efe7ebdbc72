"""Keeps child processes running: starts them, restarts what died, stops them in order, leaves no orphan.

It knows nothing of EPMM: `manage.py up` says which children there are.  Each child gets a process group of its own, so
that a terminal's Ctrl-C reaches the supervisor alone, and a standard input that is its lifeline (`epmm/lifeline.py`).
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Say = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    descriptors: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    first_pause: float = 0.5
    longest_pause: float = 30.0
    settled: float = 60.0  # a child that lived this long starts again with the first pause
    grace: float = 20.0


async def supervise(children: Sequence[Child], *, say: Say, timing: Timing | None = None) -> None:
    """Run until SIGTERM or SIGINT; then stop the children one after the other, in the order given."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    lifeline, ours = os.pipe()
    keepers = [asyncio.create_task(_keep(child, lifeline, say, timing or Timing())) for child in children]
    stopped = asyncio.create_task(stop.wait())
    # a keeper never ends by itself: if one does, it is our mistake, and the others shall not run on unseen
    await asyncio.wait([stopped, *keepers], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for keeper in keepers:
        keeper.cancel()
        await asyncio.wait([keeper])
    os.close(lifeline)
    os.close(ours)
    for keeper in keepers:
        with contextlib.suppress(asyncio.CancelledError):
            keeper.result()


async def _keep(child: Child, lifeline: int, say: Say, timing: Timing) -> None:
    clock = asyncio.get_running_loop().time
    pause = timing.first_pause
    async with _relayed(child.name, say) as output:
        while True:
            began = clock()
            ending = await _run(child, lifeline, output, say, timing.grace)
            if clock() - began >= timing.settled:
                pause = timing.first_pause
            say("up", f"{child.name} {ending}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, timing.longest_pause)


async def _run(child: Child, lifeline: int, output: int, say: Say, grace: float) -> str:
    """Run the child to its end, ours or its own; say how it ended."""
    try:
        process = await asyncio.create_subprocess_exec(
            *child.command,
            stdin=lifeline,
            stdout=output,
            stderr=output,
            env={**os.environ, **child.environment, "PYTHONUNBUFFERED": "1"},
            cwd=child.directory,
            pass_fds=child.descriptors,
            start_new_session=True,
        )
    except OSError as error:  # the machine is out of processes or memory: that passes
        return f"did not start: {error}"
    say("up", f"{child.name} is process {process.pid}")
    try:
        status = await process.wait()
    finally:
        await _end_group(process, grace)
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


async def _end_group(process: Process, grace: float) -> None:
    """Ask politely, then not; also whatever a dead leader left behind in its group."""
    if process.returncode is None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace)
    _signal_group(process, signal.SIGKILL)
    await process.wait()


def _signal_group(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@contextlib.asynccontextmanager
async def _relayed(name: str, say: Say) -> AsyncIterator[int]:
    """A descriptor to write lines to, for the child and whoever takes its place.

    Not asyncio's own pipe: with that, a dead child seems to run for as long as a descendant holds its output.
    """
    read_end, write_end = os.pipe()
    lines = asyncio.create_task(_relay(read_end, name, say))
    try:
        yield write_end
    finally:
        os.close(write_end)
        await asyncio.wait([lines], timeout=1)  # what it said last
        lines.cancel()


async def _relay(read_end: int, name: str, say: Say) -> None:
    lines = asyncio.StreamReader()
    pipe = os.fdopen(read_end, "rb", buffering=0)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), pipe)
    try:
        while not lines.at_eof():
            if line := await _line(lines):
                say(name, line.decode(errors="replace").rstrip())
    finally:
        transport.close()


async def _line(lines: asyncio.StreamReader) -> bytes:
    try:
        return await lines.readline()
    except ValueError:  # longer than asyncio's limit, which has thrown it away
        return b"[a line too long to show]"


def prefixed(width: int) -> Say:
    """One stream for all, each line with the name of who said it."""

    def say(name: str, text: str) -> None:
        # whoever read our output may be gone: that is no reason to stop
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(f"{name:<{width}} | {text}\n")
            sys.stdout.flush()

    return say
