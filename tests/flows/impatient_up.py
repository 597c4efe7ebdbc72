"""`manage.py up`, but for the pauses: what was killed starts again at once, however often that happens.

At once also in that it loads nothing anew, which would be nearly all that a start takes: each child is a copy of this
process, in which everything is loaded, and runs from there as it would from the beginning.
"""

import asyncio
import importlib
import itertools
import logging
import os
import signal
import sys
import traceback
from asyncio.subprocess import Process
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import manage
from epmm import collector, supervisor

run, start = asyncio.run, asyncio.create_subprocess_exec


def load_and_run(main: Coroutine[Any, Any, None]) -> None:
    """What the children would load; and they must not find a database open that is not theirs."""
    from django.db import connections

    from epmm.celery import app

    app.loader.import_default_modules()
    for name in ("epmm.asgi", "epmm.gateway", "epmm.urls", "celery.apps.worker", "celery.worker.consumer"):
        importlib.import_module(name)
    connections.close_all()
    collector.spare()
    asyncio.run = run
    run(main)


async def copy(*command: str, **options: Any) -> Process:
    instead = partial(be, command, options["env"], options["pass_fds"])
    return await start(*command, preexec_fn=instead, **options)


def be(command: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int]) -> None:
    """In the child, before the program of the command would take its place, which it never does."""
    status: Any = 1
    try:
        begin(environment, descriptors)
        _python, _m, module, *sys.argv[1:] = command
        importlib.import_module(module).main()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:  # noqa: BLE001 -- as Python itself does
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(status)


def begin(environment: Mapping[str, str], descriptors: Sequence[int]) -> None:
    """Nothing is left of the parent but what is loaded."""
    from django.conf import Settings, settings
    from django.utils.log import configure_logging

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for last, following in itertools.pairwise([2, *sorted(descriptors), os.sysconf("SC_OPEN_MAX")]):
        os.closerange(last + 1, following)
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(sys.modules["epmm.settings"])
    settings._wrapped = Settings("epmm.settings")
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)


if __name__ == "__main__":
    asyncio.run, asyncio.create_subprocess_exec = load_and_run, copy  # type: ignore[assignment]
    supervisor.Timing = partial(supervisor.Timing, first_pause=0.02, longest_pause=0.02)  # type: ignore[misc, assignment]
    manage.main()
