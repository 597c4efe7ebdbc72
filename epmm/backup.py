"""A copy of an embedded installation in one file, and the way back.

A tar archive: the database by SQLite's online backup, which needs no pause, and on demand the secrets that open what is
encrypted in it.
"""

import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

DATABASE: Final = "epmm.sqlite3"
MANIFEST: Final = "manifest.json"
SECRETS: Final = ("secret_key", "field_keys")
FORMAT: Final = 1


class UnusableBackup(Exception):
    """The message says what is wrong with the file."""


def write(target: Path, *, database: Path, secrets: Path | None) -> None:
    """Complete or absent; readable by the owner alone."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
                _add(archive, MANIFEST, json.dumps(_manifest(secrets)).encode())
                _add_database(archive, database, near=target.parent)
                for name in SECRETS if secrets else ():
                    _add(archive, f"secrets/{name}", (Path(secrets or "") / name).read_bytes())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)


def read(source: Path, *, directory: Path) -> bool:
    """Lay out what is in the file, in a directory that has nothing of it; return whether secrets were with it."""
    draft = directory / f"{DATABASE}.restoring"
    try:
        has_secrets = _lay_out(source, draft, directory)
        draft.rename(directory / DATABASE)
    except (tarfile.TarError, OSError, EOFError, KeyError, ValueError, zlib.error) as error:
        raise UnusableBackup("it is no complete backup") from error
    finally:
        draft.unlink(missing_ok=True)
    return has_secrets


def _lay_out(source: Path, draft: Path, directory: Path) -> bool:
    with tarfile.open(source, "r:gz") as archive:
        with _member(archive, MANIFEST) as file:
            manifest = json.load(file)
        if manifest.get("format") != FORMAT:
            raise UnusableBackup("it was made by another release; restore it with that one")
        with _member(archive, DATABASE) as file:
            _write_private(draft, file)
        _check(draft)
        for name in SECRETS if manifest.get("secrets") else ():
            (directory / "secrets").mkdir(mode=0o700, exist_ok=True)
            with _member(archive, f"secrets/{name}") as file:
                _write_private(directory / "secrets" / name, file)
    return bool(manifest.get("secrets"))


def _manifest(secrets: Path | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "secrets": secrets is not None,
    }


def _add_database(archive: tarfile.TarFile, database: Path, *, near: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=near, prefix=".backup-") as copy:  # private, and gone whatever happens
        source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        with closing(source), closing(sqlite3.connect(copy.name)) as target:
            source.backup(target)
        archive.add(copy.name, arcname=DATABASE)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """By its name alone: what else an archive says of itself, paths and owners, is not believed."""
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def _write_private(path: Path, content: IO[bytes]) -> None:
    """Piece by piece: a database may be larger than the memory."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())


def _check(database: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        raise UnusableBackup("its database is damaged") from error
    if answer != ("ok",):
        raise UnusableBackup("its database is damaged")
