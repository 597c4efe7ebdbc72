"""One process that runs code with the settings of an installation, as `manage.py shell` does, piece after piece.

To start one for each piece takes a second of computing.
"""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout

from tests.epmm.processes import ROOT


class Shell:
    def __init__(self, environment: Mapping[str, str]) -> None:
        command, pipe = [sys.executable, "-m", "tests.epmm.shell"], subprocess.PIPE
        settings = {"DJANGO_SETTINGS_MODULE": "epmm.settings"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**environment, **settings}, stdin=pipe, stdout=pipe, text=True
        )

    def run(self, code: str) -> str:
        """What it writes.  Code that fails ends the process, and its traceback goes where ours would."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        assert told, "the code failed"
        said: str = json.loads(told)
        return said

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    import django

    django.setup()
    ours = sys.stdout
    for line in sys.stdin:
        with redirect_stdout(io.StringIO()) as said:
            exec(json.loads(line), {})
        ours.write(json.dumps(said.getvalue()) + "\n")
        ours.flush()


if __name__ == "__main__":
    main()
