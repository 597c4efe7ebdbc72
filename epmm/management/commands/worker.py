import threading
import warnings
from typing import Any

from celery.exceptions import SecurityWarning
from celery.signals import worker_ready
from django.core.management.base import BaseCommand, CommandParser

from epmm import collector, dispatcher
from epmm.celery import JOBS, OUTBOXES, app
from epmm.tasks import ring_for_outbox, run_job

QUIET = ("--pool=threads", "--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")


class Command(BaseCommand):
    help = "Run a worker with its dispatcher: reads what devices report and does what is due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=2)

    def handle(self, *args: Any, **options: Any) -> None:
        app.loader.import_default_modules()  # the dispatcher must know what is periodic before it looks
        dispatcher.take_over()
        warnings.simplefilter("ignore", SecurityWarning)  # about root and pickle: our messages are numbers in JSON
        stop = threading.Event()
        arguments = (run_job.delay, ring_for_outbox, stop)
        thread = threading.Thread(target=dispatcher.run, args=arguments, name="dispatcher", daemon=True)
        thread.start()
        worker_ready.connect(_spare_the_collector)
        try:
            queues = f"--queues={JOBS},{OUTBOXES}"
            app.worker_main(["--quiet", "worker", f"--concurrency={options['concurrency']}", queues, *QUIET])
        finally:
            stop.set()
            thread.join(timeout=5)


def _spare_the_collector(**_signal: Any) -> None:
    collector.spare()
