"""Runs migrations on the connection that `marsseg.store.schema` holds, or on the configured store."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from marsseg.settings import load_settings
from marsseg.store.engine import Database
from marsseg.store.tables import Base


def run_migrations(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


held = context.config.attributes.get("connection")
if held is not None:
    run_migrations(held)
else:  # alembic's own command line, used to write the next migration
    with Database(load_settings().database_url).migrate() as opened:
        run_migrations(opened)
