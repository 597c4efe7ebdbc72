"""`manage.py up`, but for the pauses: what was killed starts again at once, however often that happens."""

from functools import partial
from unittest.mock import patch

import manage
from epmm import supervisor

if __name__ == "__main__":
    impatient = partial(supervisor.Timing, first_pause=0.02, longest_pause=0.02)
    with patch.object(supervisor, "Timing", impatient):
        manage.main()
