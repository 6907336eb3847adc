"""Alembic's entry: runs the migrations on the connection that ``lab.database.engine`` hands over."""

from alembic import context

from lab.database.tables import Base

connection = context.config.attributes["connection"]
if connection.dialect.name == "sqlite":
    # Python's driver would run CREATE TABLE outside any transaction, and a process killed in the middle
    # would leave half a schema.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transactional_ddl=True,
    # SQLite cannot alter a column in place; batch mode copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
