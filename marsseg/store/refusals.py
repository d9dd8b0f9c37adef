"""What a database's driver says, as one sentence about what to do."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from marsseg.errors import DamagedStoreError, StoreError, UnusableStoreError

BUSY_SECONDS = 30
"""How long a writer waits for another one before it gives up."""

ELSEWHERE = "point MARSSEG_DATABASE_URL elsewhere"
_NOT_READABLE = "The file {where} is not a readable database and "
_REMEDY = f"restore a backup, move it away together with its -wal, or {ELSEWHERE}."
LEFT_ALONE = f"{_NOT_READABLE}was left as it is; {_REMEDY}"
"""For who looks before anything is written."""
NO_LONGER_WRITTEN = f"{_NOT_READABLE}is not written to any more; end all processes of the lab, then {_REMEDY}"
"""For who may have written before the damage was seen."""

_DAMAGED = ("not a database", "malformed", "unsupported file format")
_LACKS = ("no such table", "no such column")
_SENTENCES = {
    ("database is locked", "lock timeout"): (
        f"The database {{where}} stayed busy for {BUSY_SECONDS} seconds; "
        "close the program that holds it and try again."
    ),
    ("disk is full", "no space left"): "There is no space left for {where}; free some and try again.",
    ("unable to open", "readonly database"): (
        "The database {where} cannot be opened for writing; check its folder's permissions, "
        f"set MARSSEG_HOME to a folder of yours, or {ELSEWHERE}."
    ),
}


def explain(error: Exception, where: str) -> StoreError:
    """Turn what a driver says into one sentence about what to do."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    lines = str(cause).strip().splitlines()
    text = lines[0] if lines else type(cause).__name__
    if any(sign in text.lower() for sign in _DAMAGED):
        return DamagedStoreError(NO_LONGER_WRITTEN.format(where=where))
    if any(sign in text.lower() for sign in _LACKS):
        return UnusableStoreError(lacks(text, where))
    for signs, sentence in _SENTENCES.items():
        if any(sign in text.lower() for sign in signs):
            return StoreError(sentence.format(where=where))
    return StoreError(f"The database {where} refused ({text}); check that it is reachable, or {ELSEWHERE}.")


def lacks(what: str, where: str) -> str:
    """The sentence for a database whose tables are not those of its revision."""
    return (
        f"The database {where} lacks a part of what the lab needs ({what}); `python -m marsseg db check` "
        f"names all of it. Restore a backup, or {ELSEWHERE}."
    )
