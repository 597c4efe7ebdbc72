#!/usr/bin/env python
"""The operator's entry: `manage.py up` starts the product, `manage.py help` lists the commands."""

import os
import signal
import sys

from epmm import bootstrap, collector, metrics_files, texts

PROCESSES = {"gateway", "web", "worker"}  # those that count something


def main() -> None:
    if not all(map(texts.is_storable, sys.argv)):
        sys.exit("error: what was typed is not UTF-8")
    collector.go_easy()
    arguments = bootstrap.take_option(sys.argv, "--data", "EPMM_DATA_DIR")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "epmm.settings")
    if arguments[1:2] == ["up"]:
        arguments = bootstrap.take_option(arguments, "--public-url", "EPMM_PUBLIC_URL")
    if bootstrap.is_embedded():
        bootstrap.provide_secrets(arguments[1:2], bootstrap.data_dir())

    if arguments[1:2] and arguments[1] in PROCESSES:
        metrics_files.begin(arguments[1], bootstrap.data_dir() / "metrics")
    _run(arguments)


def _run(arguments: list[str]) -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.core.management.base import BaseCommand
    from django.db import OperationalError

    from epmm.checks import INSTALLATION

    # the others look at the code, which no command changes, and load all of it: `check` asks them
    BaseCommand.requires_system_checks = (INSTALLATION,)
    try:
        execute_from_command_line(arguments)
        sys.stdout.flush()
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")
    except OperationalError as error:
        if PROCESSES & {*arguments[1:2]} or "--traceback" in arguments:
            raise
        sys.exit(f"error: the database does not answer or refuses: {' '.join(str(error).split())} (more: --traceback)")
    except BrokenPipeError:  # of `manage.py attempts | head`: who reads has seen enough
        if {*PROCESSES, "up"} & {*arguments[1:2]} or "--traceback" in arguments:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still has to write
        sys.exit(128 + signal.SIGPIPE)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
