#!/usr/bin/env python
"""The operator's entry: `manage.py up` starts the product, `manage.py help` lists the commands."""

import os
import sys

from epmm import bootstrap


def main() -> None:
    arguments = bootstrap.take_data_option(sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "epmm.settings")
    if arguments[1:2] == ["up"]:
        bootstrap.make_secrets(bootstrap.data_dir())

    from django.core.management import execute_from_command_line

    execute_from_command_line(arguments)


if __name__ == "__main__":
    main()
