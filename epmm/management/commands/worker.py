import threading
import warnings
from typing import Any

from celery.exceptions import SecurityWarning
from celery.signals import worker_ready
from django.core.management.base import BaseCommand, CommandParser

from epmm import collector, dispatcher
from epmm.celery import app, has_room
from epmm.outboxes import Outboxes
from epmm.tasks import run_job

QUIET = ("--pool=threads", "--without-gossip", "--without-mingle", "--without-heartbeat")


class Command(BaseCommand):
    help = "Run a worker with its dispatcher: reads what devices report and does what is due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=2, help="jobs at the same time")

    def handle(self, *args: Any, **options: Any) -> None:
        app.loader.import_default_modules()  # the dispatcher must know what is periodic before it looks
        dispatcher.take_over()
        warnings.simplefilter("ignore", SecurityWarning)  # about root and pickle: our messages are numbers in JSON
        stop = threading.Event()
        jobs = threading.Thread(
            target=dispatcher.run, args=(run_job.delay, has_room, stop), name="dispatcher", daemon=True
        )
        outboxes = threading.Thread(target=Outboxes().run, args=(stop,), name="outboxes", daemon=True)
        jobs.start()
        outboxes.start()
        worker_ready.connect(_spare_the_collector)
        try:
            app.worker_main(["--quiet", "worker", f"--concurrency={options['concurrency']}", *QUIET])
        finally:
            stop.set()
            jobs.join(timeout=5)
            outboxes.join()


def _spare_the_collector(**_signal: Any) -> None:
    collector.spare()
