"""A small MDM server of the kind that docs/performance.md asks to stand beside ours, and its two hooks.

STAND_IN makes it do what a peer may not (`refuses`, `forgets`), or what many do: `reconnects` for each request.
"""

import hashlib
import json
import os
import sys
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Final

import psycopg

from epmm.wire.cms import parse_signed
from epmm.wire.plist import load_dict

HEADER: Final = "X-Device-Cert"
STAND_IN: Final = os.environ.get("STAND_IN", "")
SCHEMA: Final = """
CREATE TABLE device (sha256 bytea PRIMARY KEY, udid text, last_contact timestamptz);
CREATE TABLE command (id serial PRIMARY KEY, udid text, uuid text UNIQUE, payload bytea, is_open bool DEFAULT true);
CREATE INDEX ON command (udid, id) WHERE is_open;
CREATE TABLE result (uuid text PRIMARY KEY, body bytea);
"""
CONTACT: Final = "UPDATE device SET last_contact = now() WHERE sha256 = %s AND udid = %s"
RESULT: Final = """
WITH done AS (UPDATE command SET is_open = false WHERE udid = %s AND uuid = %s RETURNING uuid)
INSERT INTO result SELECT uuid, %s FROM done ON CONFLICT DO NOTHING
"""
NEXT: Final = "SELECT payload FROM command WHERE udid = %s AND is_open ORDER BY id LIMIT 1"
Message = Mapping[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    body, is_whole = b"", False
    while not is_whole:
        message = await receive()
        body, is_whole = body + message.get("body", b""), not message.get("more_body")
    status, answer = respond(dict(scope["headers"]), body)
    length = str(len(answer)).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": answer})


def respond(headers: Mapping[bytes, bytes], body: bytes) -> tuple[int, bytes]:
    if STAND_IN == "refuses":
        return 500, b""
    told = load_dict(body)
    udid = told["UDID"]
    with connected() as connection, connection.transaction():
        sha256 = hashlib.sha256(certificate(headers, body)).digest()
        if not connection.execute(CONTACT, [sha256, udid]).rowcount:
            return 403, b""
        if "CommandUUID" in told and STAND_IN != "forgets":
            connection.execute(RESULT, [udid, told["CommandUUID"], body])
        waiting = connection.execute(NEXT, [udid]).fetchone()
    return 200, waiting[0] if waiting else b""


def certificate(headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    if signature := headers.get(b"mdm-signature"):
        signed = parse_signed(b64decode(signature))
        signed.verify(body)
        return signed.signer_certificate
    return b64decode(headers[HEADER.lower().encode()].strip(b":"))


def connected() -> AbstractContextManager[psycopg.Connection]:
    return connect() if STAND_IN == "reconnects" else nullcontext(kept())


@cache
def kept() -> psycopg.Connection:
    return connect()


def connect() -> psycopg.Connection:
    return psycopg.connect(os.environ["PEER_DSN"], autocommit=True)


def enroll(devices: Iterable[Message]) -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        with cursor.copy("COPY device (sha256, udid) FROM STDIN") as copy:
            for device in devices:
                copy.write_row((hashlib.sha256(b64decode(device["certificate"])).digest(), device["udid"]))


def queue(commands: Iterable[Message]) -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE command, result")
        with cursor.copy("COPY command (udid, uuid, payload) FROM STDIN") as copy:
            for command in commands:
                copy.write_row((command["udid"], command["uuid"], b64decode(command["command"])))


if __name__ == "__main__":
    {"enroll": enroll, "queue": queue}[sys.argv[1]](map(json.loads, sys.stdin))
    sys.stdout.write("done, and nobody asked\n")
