"""A fresh store for each test; the same tests run on PostgreSQL when MARSSEG_TEST_DATABASE_URL names one."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord
from tests.store.building import Clock, add_dataset
from tests.store.racer import Race

POSTGRESQL = os.environ.get("MARSSEG_TEST_DATABASE_URL")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Where a SQLite store may be made; nothing is there yet."""
    return f"sqlite:///{tmp_path / 'runs.db'}"


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """An empty schema of the test server, dropped afterwards."""
    if not POSTGRESQL:
        pytest.skip("set MARSSEG_TEST_DATABASE_URL to a PostgreSQL database to run this")
    schema = f"test_{secrets.token_hex(6)}"
    engine = create_engine(POSTGRESQL)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    url = make_url(POSTGRESQL).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRESQL else ["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of every kind that is at hand."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def race() -> Iterator[Race]:
    """Four processes that race each other, the same for all tests."""
    processes = Race(4)
    yield processes
    processes.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def _empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store to copy, which is quicker than to migrate; `test_schema` is about migrating."""
    path = tmp_path_factory.mktemp("store") / "runs.db"
    RunStore(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def store(database_url: str, clock: Clock, _empty_store: Path) -> Iterator[RunStore]:
    if database_url.startswith("sqlite"):
        shutil.copy(_empty_store, str(make_url(database_url).database))
    opened = RunStore(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def dataset(store: RunStore) -> DatasetRecord:
    return add_dataset(store)
