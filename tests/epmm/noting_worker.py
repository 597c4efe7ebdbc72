"""A real worker process with one more kind of job: `python -m tests.epmm.noting_worker DATABASE NOTES [option]...`.

Its jobs note their number in a file, so that a test sees which were done, and how often.  From the number that the
file `NOTES.hold` names they wait until that file is gone.  The file `NOTES.outbox` is an outbox with one row; that it
was worked off is noted as well.  What it has loaded is in the file `NOTES.loaded` in the end.
"""

import logging
import os
import sys
import time
from pathlib import Path


def main() -> None:
    database, path, *options = sys.argv[1:]
    notes, hold, outbox = Path(path), Path(f"{path}.hold"), Path(f"{path}.outbox")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    django.setup()

    from django.core.management import call_command

    from epmm import jobs

    @jobs.handles("tests.note")
    def note(number: int) -> None:
        while hold.exists() and number >= int(hold.read_text()):
            time.sleep(0.02)
        with notes.open("a") as file:
            file.write(f"{number}\n")
        logging.getLogger("tests.note").info("noted", extra={"number": number})

    @jobs.handles("tests.outbox", outbox=outbox.exists)
    def work_off() -> None:
        outbox.unlink()
        with notes.open("a") as file:
            file.write("-1\n")

    try:
        call_command("worker", *options)
    finally:
        Path(f"{path}.loaded").write_text("\n".join(sys.modules))


if __name__ == "__main__":
    main()
