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
    from pymongo.collection import Collection
    from pymongo.database import Database

# A server that elects a new primary or makes an index is waited for, one that is gone is not.
TIMEOUTS = {"serverSelectionTimeoutMS": 15_000, "connectTimeoutMS": 10_000, "socketTimeoutMS": 600_000}


def connection_string(file: str) -> str:
    """What a file has. Raises ConnectionError when it is not there or has no connection string with a database."""
    from pymongo import MongoClient
    from pymongo.errors import ConfigurationError, InvalidURI

    try:
        uri = Path(file).read_text().strip()
    except OSError as problem:
        raise ConnectionError(f"the connection string for MongoDB can't be read: {problem}") from None
    try:
        with MongoClient(uri, connect=False) as client:
            client.get_default_database()
    except (ConfigurationError, InvalidURI, ValueError):
        # What these say can repeat the string.
        raise ConnectionError(
            f"{file} has no connection string with a database, such as mongodb://user:password@host:27017/power"
        ) from None
    return uri


@contextmanager
def database(uri: str) -> Iterator[Database]:
    """The database that a connection string names. What goes wrong is a ConnectionError in one line, without password.

    uri: of `connection_string`.
    """
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    try:
        with MongoClient(uri, **TIMEOUTS, appname="london-power") as client:
            yield client.get_default_database()
    except PyMongoError as problem:
        hosts = uri.partition("://")[2].partition("/")[0].rpartition("@")[2]
        why = re.split(r", Timeout: | \(configured timeouts|, full error", " ".join(str(problem).split()))[0]
        raise ConnectionError(f"MongoDB at {hosts}: {why}; what was there before is there still") from None


def replace_collection(uri_file: str, name: str, documents: Iterable[Mapping[str, Any]]) -> None:
    """Makes `documents` all that collection `name` has. Whoever reads it meanwhile sees what was there before.

    For collections that fit into memory. Raises ConnectionError.
    """
    with database(connection_string(uri_file)) as db:
        begin(db, name)
        if rows := [dict(document) for document in documents]:
            loading(db, name).insert_many(rows)
        publish(db, name)


def loading(db: Database, name: str) -> Collection:
    """What is to take the place of collection `name` once all of it is there."""
    return db[f"{name}_loading"]


def begin(db: Database, name: str, index: Sequence[tuple[str, int]] = ()) -> None:
    """Makes `loading` an empty collection with that index; what an attempt that failed left there is dropped."""
    collection = loading(db, name)
    collection.drop()
    db.create_collection(collection.name)
    if index:
        collection.create_index(list(index))


def publish(db: Database, name: str) -> None:
    """Puts `loading` with its index in the place of collection `name`, at once."""
    loading(db, name).rename(name, dropTarget=True)


def documents(table: pa.Table, key: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as documents: `_id` is the values of `key`, which make a row unique; a day is its midnight in UTC."""
    rows = table.to_pylist()
    return [
        {"_id": " ".join(str(row[name]) for name in key), **{name: _bson(value) for name, value in row.items()}}
        for row in rows
    ]


def _bson(value: object) -> object:
    return datetime.combine(value, time(), timezone.utc) if isinstance(value, date) else value
