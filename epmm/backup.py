"""A copy of an embedded installation in one file, and the way back.

A tar archive: the database by SQLite's online backup, which needs no pause, and on demand the secrets that open what is
encrypted in it.
"""

import gzip
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

DATABASE: Final = "epmm.sqlite3"
DATABASE_FILES: Final = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
MANIFEST: Final = "manifest.json"
SECRETS: Final = ("secrets/secret_key", "secrets/field_keys")
FORMAT: Final = 1


class UnusableBackup(Exception):
    """The message says what is wrong with the file."""


def write(target: Path, *, directory: Path, with_secrets: bool) -> None:
    """Complete or absent; readable by the owner alone."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
                _add(archive, MANIFEST, json.dumps(_manifest(with_secrets=with_secrets)).encode())
                _add_database(archive, directory / DATABASE, near=target.parent)
                for name in SECRETS if with_secrets else ():
                    _add(archive, name, (directory / name).read_bytes())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def laid_out(source: Path, *, directory: Path) -> Iterator[Path]:
    """What is in the file, once all of it is found good, in a draft that is gone afterwards."""
    draft = directory / "restoring"
    shutil.rmtree(draft, ignore_errors=True)  # of one that was killed
    try:
        _lay_out(source, draft)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def put_in_place(draft: Path, *, directory: Path, aside: Path) -> bool:
    """All of it, or nothing is changed; return whether something was there, which is aside then."""
    new = [name for name in (*SECRETS, DATABASE) if (draft / name).exists()]
    old = [name for name in sorted({*DATABASE_FILES, *new}) if (directory / name).exists()]
    with ExitStack() as undo:
        if old:
            aside.mkdir(mode=0o700)
            undo.callback(aside.rmdir)
        for name in old:
            _move(directory / name, aside / name, undo)
        for name in new:
            _move(draft / name, directory / name, undo)
        undo.pop_all()
    return bool(old)


def has_secrets(draft: Path) -> bool:
    return (draft / SECRETS[0]).exists()


def has_tables(database: Path) -> bool:
    with closing(_read_only(database)) as connection:
        return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None


def _move(source: Path, target: Path, undo: ExitStack) -> None:
    if not target.parent.exists():
        target.parent.mkdir(mode=0o700)
        undo.callback(target.parent.rmdir)
    source.rename(target)
    undo.callback(target.rename, source)


def _lay_out(source: Path, draft: Path) -> None:
    for folder in (draft, draft / "secrets"):
        folder.mkdir(mode=0o700)
    try:
        with tarfile.open(source, "r:gz") as archive:
            with _member(archive, MANIFEST) as file:
                manifest = json.load(file)
            if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
                raise UnusableBackup("it was made by another release; restore it with that one")
            for name in (DATABASE, *(SECRETS if manifest.get("secrets") else ())):
                with _member(archive, name) as file:
                    _write_private(draft / name, file)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, KeyError, ValueError, RecursionError, zlib.error) as error:
        raise UnusableBackup("it is no complete backup") from error
    _check(draft / DATABASE)


def _manifest(*, with_secrets: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "secrets": with_secrets,
    }


def _add_database(archive: tarfile.TarFile, database: Path, *, near: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=near, prefix=".backup-") as copy:  # private, and gone whatever happens
        with closing(_read_only(database)) as source, closing(sqlite3.connect(copy.name)) as target:
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
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())


def _check(database: Path) -> None:
    try:
        with closing(_read_only(database)) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        raise UnusableBackup("its database is damaged") from error
    if answer != ("ok",):
        raise UnusableBackup("its database is damaged")
    if not has_tables(database):
        raise UnusableBackup("its database is empty, and nothing would start on it: take another file")


def _read_only(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
