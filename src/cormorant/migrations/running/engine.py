"""`MigrationEngine`: brings a database to where its migrations lead, and back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from cormorant.database import Database
from cormorant.database.configured import database_of
from cormorant.database.gating import unasked
from cormorant.errors import MigrationError
from cormorant.migrations.history import History
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running import ledger
from cormorant.migrations.running.adopting import Adopted, first_draft, left_out
from cormorant.migrations.running.connecting import Place, connected
from cormorant.migrations.running.deciding import Standing
from cormorant.migrations.running.drifting import compared
from cormorant.migrations.running.locking import held, lock_of
from cormorant.migrations.running.moves import moves_of
from cormorant.migrations.running.others import others_in
from cormorant.migrations.running.outcomes import Drift, Plan, Progress, Proof, Ran, Report, Status, Tell
from cormorant.migrations.running.planning import planned
from cormorant.migrations.running.proving import proof
from cormorant.migrations.running.runner import Options, Overtaken, Runner, Work, record_statement
from cormorant.migrations.running.scratch import scratch_database
from cormorant.migrations.running.scripting import offline
from cormorant.models.model import Model
from cormorant.models.registry import registry
from cormorant.schema.declared import from_models
from cormorant.schema.introspect import introspect


def _silent(progress: Progress) -> None:
    """Tells nobody."""


class MigrationEngine:
    """Runs the migrations of a database, and takes them back.

    One at a time: another one who migrates the same database waits. Each migration is one transaction with the record
    that it was done, but for steps that must be outside of transactions; those are written down one by one, so that a
    run that was cut off goes on where it was.

    Args:
        database: The database; the configured one if None.
        migrations: The directory of the migrations, the directory of each app, or what was read of them.
        wait: Seconds to wait for another one who migrates; None waits without end.
        lock_timeout: Seconds that a statement waits for the lock of a table, with all others waiting behind it; None
            sets no limit. The transaction is tried again after a pause.
        retries: How often it is tried again.

    Example:
        >>> engine = MigrationEngine(db, "migrations")
        >>> report = await engine.migrate()     # BEGIN ... INSERT INTO cormorant_migrations ... COMMIT, for each
        >>> report.migrations
        ('0001_initial', '0002_stars')
    """

    def __init__(
        self,
        database: Database | str | None = None,
        migrations: History | str | Path | Mapping[str, str | Path] = "migrations",
        *,
        wait: float | None = 60.0,
        lock_timeout: float | None = 2.0,
        retries: int = 20,
    ) -> None:
        self.database: Database = database_of(database)
        self.options: Options = Options(wait, lock_timeout, retries)
        self._migrations = migrations
        self._history = migrations if isinstance(migrations, History) else None

    @property
    def history(self) -> History:
        """The migrations, read when they are first needed.

        Raises:
            MissingMigration: There is no such directory.
            InvalidMigration: A file cannot be used.
        """
        if self._history is None:
            self._history = self._loaded()
        return self._history

    # ---- looking

    async def status(self) -> Status:
        """Gives which migrations the database has, and which it has not.

        Raises:
            ConnectionLost: The database cannot be reached.
        """
        return (await self._standing()).status()

    async def plan(self, target: str | None = None, *, down: int | str | None = None) -> Plan:
        """Gives what `migrate(target)` would do, or `rollback(down)`; nothing is changed.

        Args:
            target: The last migration; all if None is named.
            down: How many migrations would be taken back, or back to which one.

        Raises:
            MissingMigration: There is no such target.
            ChangedMigration: The file of an applied migration is another now.
            IrreversibleMigration: A step has no way back.
        """
        standing = await self._standing()
        files = standing.ahead(target) if down is None else standing.behind(down)
        return planned(standing, files, self.database.dialect, up=down is None)

    def sql(self, from_: str | None = None, to: str | None = None, *, work_done: bool = False) -> list[str]:
        """Gives the statements of migrations without a database, with those that write down what is done.

        Whoever sends them stops at the first that fails: what follows may drop what the one before should have copied.

        Args:
            from_: The last migration that the database has; none if None is named.
            to: The last one to be run; all if None is named.
            work_done: Work in a session was done by other means, and is left out.

        Raises:
            MissingMigration: There is no such migration.
            MigrationError: Work in a session is among the steps, which only the program can do.
        """
        return offline(self.history, self.database.dialect, from_, to, work_done=work_done)

    async def drift(self, *models: type[Model]) -> Drift:
        """Compares models, migrations and the database, and says which differs where.

        On PostgreSQL the migrations' schema is made in a scratch schema, to be read in the server's words, and rolled
        back.

        Args:
            models: The models; every known one if none is named.

        Example:
            >>> for line in (await engine.drift()).describe():
            ...     print(line)
            in the database otherwise than in its migrations; to undo it: drop index by_hand of essay
        """
        wanted = from_models(models) if models or any(True for _ in registry) else None
        async with connected(self.database) as place:
            return await compared(place, await self._read(place), wanted)

    async def prove(self, scratch: Database | None = None, *, progress: Tell = _silent) -> Proof:
        """Tries all migrations on an empty database: up, compared with what they say, down, and up again.

        Args:
            scratch: The empty database; one that is made for it, and dropped afterwards, if None.
            progress: Called as it goes on.

        Raises:
            MigrationFailed: One of them does not run, or cannot be taken back.
            MigrationError: No empty database could be made.

        Example:
            >>> assert (await engine.prove()).holds
        """
        async with AsyncExitStack() as stack:
            made = scratch_database(self.database)
            empty = await stack.enter_async_context(made) if scratch is None else scratch
            engine = MigrationEngine(
                empty,
                self.history,
                wait=self.options.wait,
                lock_timeout=self.options.lock_timeout,
                retries=self.options.retries,
            )
            return await proof(empty, engine, self.history.state(), progress)

    async def _standing(self) -> Standing:
        async with connected(self.database, write=False) as place:
            return Standing(self.history, await ledger.read(place.connection, place.dialect))

    # ---- changing

    async def migrate(self, target: str | None = None, *, fake: bool = False, progress: Tell = _silent) -> Report:
        """Runs the migrations that the database has not.

        Args:
            target: The last one, with all that it depends on; all if None is named.
            fake: Only write down that they were run, and the checksums of those that were.
            progress: Called as it goes on.

        Returns:
            Which were run; none if the database had all of them.

        Raises:
            MigrationLocked: Another one migrates, and has not ended in time.
            MigrationFailed: A step failed: which, why, and how to go on.
            ChangedMigration: The file of an applied migration is another now.
            MissingMigration: There is no such target, or no file of an applied migration.

        Example:
            >>> await engine.migrate("0002_stars")
        """
        async with self._changing(progress) as (place, runner):
            if fake:
                return await self._fake(place, target)
            return await self._run(place, runner, target, progress)

    async def rollback(self, target: int | str = 1, *, fake: bool = False, progress: Tell = _silent) -> Report:
        """Takes migrations back, the last one first.

        Args:
            target: How many, or the migration that shall be the last one: all that depends on it goes. "zero" stands
                before the first.
            fake: Only forget that they were run.
            progress: Called as it goes on.

        Raises:
            IrreversibleMigration: A step has no way back; nothing was done.
            MigrationLocked: Another one migrates, and has not ended in time.
            MigrationFailed: A step failed: which, why, and how to go on.

        Example:
            >>> await engine.rollback()     # ALTER TABLE "essay" DROP COLUMN "stars"
        """
        async with self._changing(progress) as (place, runner):
            standing = await self._read(place)
            files = standing.behind(target)
            await self._absorb(place, standing)
            if fake:
                for file in files:
                    await place.connection.execute(ledger.forget_statement(file.key, *standing.stands_for(file)))
                return Report(tuple(Ran(file.key, 0.0, 0) for file in files), down=True, fake=True)
            for file in files:
                # all of them, before the first is taken back
                moves_of(file, standing.record(file), place.dialect, up=False)
            return await self._back(place, runner, files, progress)

    async def adopt(self, *, app: str = "", name: str = "initial", tables: Iterable[str] | None = None) -> Adopted:
        """Takes over a database that was there before: writes the migration that would make it, and puts it on record.

        Nothing else in the database is changed. The migration has the names that constraints have there.

        Args:
            app: The app whose tables they become.
            name: What the migration is called.
            tables: Keys of the tables, "essay", "audit.entry"; all of the default schema if None.

        Raises:
            MigrationError: The app has migrations already, or there is nothing to take over.

        Example:
            >>> adopted = await MigrationEngine(db, "migrations").adopt()
            >>> adopted.path
            PosixPath('migrations/0001_initial.py')
        """
        directory, history = self._place_of(app), self._loaded(missing_ok=True)
        async with connected(self.database) as place:
            chosen = None if tables is None else tuple(tables)
            schemas = {key.rpartition(".")[0] for key in chosen or ()} - {""}
            found = await introspect(place.connection, place.dialect, sorted(schemas))
            others = await others_in(place.connection, place.dialect, sorted(schemas))
        draft, taken = first_draft(history, found, app=app, name=name, tables=chosen)
        path = draft.write(directory)
        self._history = self._loaded()
        await self.migrate(draft.key, fake=True)
        return Adopted(path, draft.key, tuple(table.key for table in taken.tables), (*left_out(found, chosen), *others))

    def _place_of(self, app: str) -> Path:
        places = self._migrations
        if isinstance(places, History):
            raise MigrationError("it is not known where migrations are kept", hint="give the engine their directory")
        found = places.get(app) if isinstance(places, Mapping) else places
        if found is None:
            raise MigrationError(f"app {app!r} has no directory of migrations", hint="name it: {app: directory}")
        return Path(found)

    def _loaded(self, *, missing_ok: bool = False) -> History:
        places = self._migrations
        return places if isinstance(places, History) else History.load(places, missing_ok=missing_ok)

    @asynccontextmanager
    async def _changing(self, progress: Tell) -> AsyncGenerator[tuple[Place, Runner]]:
        def told(holder: str) -> None:
            progress(Progress("waiting", words=holder))

        async with connected(self.database) as place:
            lock = lock_of(place.connection, place.config)
            async with held(lock, place.config.redacted, self.options.wait, told):
                runner = Runner(place, lock, self.options)
                try:
                    await runner.prepare()
                    yield place, runner
                finally:
                    self.database.schema_changed()
        if self.database.caches.backends:
            with unasked():
                await self.database.invalidate()

    async def _read(self, place: Place) -> Standing:
        return Standing(self.history, await ledger.read(place.connection, place.dialect))

    async def _run(self, place: Place, runner: Runner, target: str | None, progress: Tell) -> Report:
        ran, count = list[Ran](), 0
        while True:
            standing = await self._read(place)
            await self._absorb(place, standing)
            files = standing.ahead(target)
            if not files:
                return Report(tuple(ran))
            count = max(count, len(ran) + len(files))
            applied = frozenset(standing.applied)
            try:
                for file in files:
                    told = _told(file, len(ran) + 1, count, down=False)
                    ran.append(await runner.run(self._work(standing, file, applied, progress, told)))
                    applied |= {file.key}
            except Overtaken:
                # read again what the other one has done
                continue

    async def _back(self, place: Place, runner: Runner, files: Sequence[MigrationFile], progress: Tell) -> Report:
        ran, standing = list[Ran](), await self._read(place)
        applied = frozenset(standing.applied)
        for number, file in enumerate(files, 1):
            applied -= {file.key}
            told = _told(file, number, len(files), down=True)
            try:
                ran.append(await runner.run(self._work(standing, file, applied, progress, told)))
            except Overtaken as error:
                raise MigrationError(
                    f"another one has changed {file.key} meanwhile", hint="look at the status, and roll back again"
                ) from error
        return Report(tuple(ran), down=True)

    @staticmethod
    def _work(standing: Standing, file: MigrationFile, applied: frozenset[str], progress: Tell, told: Progress) -> Work:
        before = partial(standing.history.state_of, applied)
        return Work(file, before, standing.record(file), progress, told, standing.stands_for(file))

    async def _absorb(self, place: Place, standing: Standing) -> None:
        """Writes down squashed migrations of which the database has all that they stand for."""
        for file in standing.settled:
            await place.connection.execute(record_statement(place.dialect, file, len(file.migration.operations), 0.0))

    async def _fake(self, place: Place, target: str | None) -> Report:
        standing = await self._read(place)
        wanted = standing.unchecked(target)
        for file in wanted:
            if standing.is_applied(file):
                sql = ledger.checksum_statement(file.app, file.name, file.checksum)
            else:
                sql = record_statement(place.dialect, file, len(file.migration.operations), 0.0)
            await place.connection.execute(sql)
        return Report(tuple(Ran(file.key, 0.0, 0) for file in wanted), fake=True)


def _told(file: MigrationFile, number: int, count: int, *, down: bool) -> Progress:
    steps = len(file.migration.operations)
    return Progress("started", file.key, number, count, steps=steps, down=down, words=file.title)
