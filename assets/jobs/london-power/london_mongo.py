"""How steps of job london-power write to MongoDB: a collection is replaced whole, or stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pymongo import MongoClient
    from pymongo.database import Database

_WAIT_MILLISECONDS = 20_000
_NOT_IMPLEMENTED = 238  # MongoDB's code of an error


class MongoUnavailableError(Exception):
    """MongoDB could not be used; the message says why in one line, without its password."""


@contextmanager
def database(uri_file: str) -> Iterator[Database]:
    """The database that the connection string in a file names. Raises MongoUnavailableError when it fails.

    Raises it too when the file is not there or has no connection string with a database.
    """
    from pymongo import MongoClient
    from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError

    try:
        uri = Path(uri_file).read_text().strip()
    except OSError as problem:
        raise MongoUnavailableError(f"the connection string for MongoDB can't be read: {problem}") from None
    try:
        client: MongoClient = MongoClient(uri, serverSelectionTimeoutMS=_WAIT_MILLISECONDS, appname="london-power")
        with client:
            yield client.get_default_database()
    except (ConfigurationError, InvalidURI, ValueError):
        # What these say can repeat the string.
        raise MongoUnavailableError(
            f"{uri_file} has no connection string with a database, such as mongodb://user:password@host:27017/power"
        ) from None
    except PyMongoError as problem:
        why = re.split(r", Timeout: | \(configured timeouts|, full error", " ".join(str(problem).split()))[0]
        raise MongoUnavailableError(f"MongoDB: {why}; what was there before is there still") from None


def replace_collection(uri_file: str, name: str, documents: Iterable[Mapping[str, Any]]) -> None:
    """Makes `documents` all that collection `name` has. Whoever reads it meanwhile sees what was there before.

    They are loaded into `<name>_loading`, which then takes the place of `name`; what an attempt that failed left there
    is dropped first. For collections that fit into memory. Raises MongoUnavailableError.
    """
    with database(uri_file) as db:
        loading = db[f"{name}_loading"]
        loading.drop()
        db.create_collection(loading.name)
        rows = [dict(document) for document in documents]
        if rows:
            loading.insert_many(rows)
        publish(db, name)


def publish(db: Database, name: str) -> None:
    """Puts `<name>_loading` in the place of `name`, at once where the server can."""
    from pymongo.errors import OperationFailure

    loading = db[f"{name}_loading"]
    try:
        loading.rename(name, dropTarget=True)
    except OperationFailure as problem:
        # Servers that only speak MongoDB's protocol, such as FerretDB 1, replace in two steps.
        if problem.code != _NOT_IMPLEMENTED:
            raise
        db[name].drop()
        loading.rename(name)


def documents(table: pa.Table, key: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as documents: `_id` is the values of `key`, which make a row unique; a day is its midnight in UTC."""
    rows = table.to_pylist()
    return [
        {"_id": " ".join(str(row[name]) for name in key), **{name: _bson(value) for name, value in row.items()}}
        for row in rows
    ]


def _bson(value: object) -> object:
    return datetime.combine(value, time(), timezone.utc) if isinstance(value, date) else value
