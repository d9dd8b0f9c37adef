"""What people give on its way into the store: text that every database can hold, numbers within reason."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable

from marsseg.errors import ConfigError
from marsseg.store.tables import NAME_LENGTH

TAG_LENGTH = 40
MOST_TAGS = 20
NOTES_LENGTH = 10_000
MOST_PRIORITY = 1_000
MOST_THREADS = 1_024
_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of what follows, also beyond the end of a name."""


def new_run_id() -> str:
    """A run id such as "r-7k2m9xq4"."""
    return "r-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(8))


def tidy_name(name: str) -> str:
    """A name as typed, without control characters and with single spaces.

    Raises:
        ConfigError: nothing is left, or more than 200 characters.
    """
    tidy = " ".join(_replace_controls(name).split())
    if not 1 <= len(tidy) <= NAME_LENGTH:
        raise ConfigError({"name": f"must have 1 to {NAME_LENGTH} visible characters; got {len(tidy)}."})
    return tidy


def tidy_tags(tags: Iterable[str]) -> list[str]:
    """Tags as typed, without control characters and outer space; each once, in alphabetical order.

    Raises:
        ConfigError: a tag is empty, holds a comma, or has more than 40 characters; or there are too many.
    """
    tidy = sort_tags(" ".join(_replace_controls(tag).split()) for tag in tags)
    if len(tidy) > MOST_TAGS:
        raise ConfigError({"tags": f"at most {MOST_TAGS} tags a run; got {len(tidy)}."})
    for tag in tidy:
        if not 1 <= len(tag) <= TAG_LENGTH or "," in tag:
            raise ConfigError(
                {"tags": f"a tag is 1 to {TAG_LENGTH} characters without a comma; got {tag!r}."}
            )
    return tidy


def sort_tags(tags: Iterable[str]) -> list[str]:
    """Each tag once, in alphabetical order; capitals before small letters where nothing else differs."""
    return sorted(set(tags), key=lambda tag: (tag.casefold(), tag))


def tidy_notes(notes: str) -> str:
    """Notes as typed, with lines, without what databases and terminals refuse.

    Raises:
        ConfigError: more than 10,000 characters.
    """
    lines = (_replace_controls(line).rstrip() for line in notes.splitlines())
    tidy = "\n".join(lines).strip()
    if len(tidy) > NOTES_LENGTH:
        raise ConfigError({"notes": f"at most {NOTES_LENGTH} characters; got {len(tidy)}."})
    return tidy


def require_wishes(priority: int, threads: int | None = None) -> None:
    """Refuse numbers that no queue and no machine has a use for.

    Raises:
        ConfigError: a priority beyond ±1,000, or threads that are not 1 to 1,024.
    """
    if abs(priority) > MOST_PRIORITY:
        raise ConfigError({"priority": f"must be from -{MOST_PRIORITY} to {MOST_PRIORITY}; got {priority}."})
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise ConfigError({"threads": f"must be from 1 to {MOST_THREADS}; got {threads}."})


def cut_name(name: str, *, room: int = 0) -> str:
    """A name that the lab made, not a person, cut where with `room` more it would be too long for a name."""
    longest = NAME_LENGTH - room
    return name if len(name) <= longest else name[: longest - 1].rstrip(" ,") + "…"


def storable(text: str) -> str:
    """Any text with what databases refuse (NUL, lone surrogates) replaced."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode("utf-8")


def _replace_controls(text: str) -> str:
    return "".join(
        " " if unicodedata.category(sign) in {"Cc", "Cs"} or sign in _DIRECTIONS else sign for sign in text
    )
