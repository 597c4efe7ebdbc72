"""The product's settings with test secrets; `EPMM_DATABASE_URL` chooses PostgreSQL as it does for operators."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("EPMM_SECRET_KEY", "only-for-tests-only-for-tests-only-for-tests-0123456789")
os.environ.setdefault("EPMM_FIELD_KEYS", "t1:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
if "EPMM_DATA_DIR" not in os.environ:  # else it is that of the process that started us
    os.environ["EPMM_DATA_DIR"] = tempfile.mkdtemp(prefix="epmm-tests-")
    atexit.register(shutil.rmtree, os.environ["EPMM_DATA_DIR"], ignore_errors=True)
os.environ.setdefault("EPMM_PUBLIC_URL", "https://mdm.example.test:8443")

from epmm.settings import *  # noqa: F403

# A file, not memory: the device door opens the database by itself.
if "sqlite3" in str(DATABASES["default"]["ENGINE"]):  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": Path(os.environ["EPMM_DATA_DIR"]) / "test.sqlite3"}  # noqa: F405
# Argon2 at its real cost would be most of the suite's time; one test checks the product's choice.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
