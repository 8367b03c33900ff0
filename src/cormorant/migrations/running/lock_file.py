"""A file that one process at a time has locked; the operating system unlocks it when the process ends, however."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from cormorant.errors import MigrationError

if sys.platform == "win32":
    import msvcrt

    # far behind the text, which others may read
    _BYTE = 1 << 20

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class LockFile:
    """A lock on a file, which is made for it and removed afterwards.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self._descriptor: int | None = None

    def take(self, holder: str) -> bool:
        """Takes the lock, if nobody else has it, and writes down who has done so.

        Raises:
            MigrationError: The file cannot be made.
        """
        descriptor = self._opened()
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        if not self._is_there(descriptor):
            # its holder has removed it before this lock was granted
            os.close(descriptor)
            return self.take(holder)
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, holder.encode())
        self._descriptor = descriptor
        return True

    def _opened(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise MigrationError(
                f"the file {self.path}, which keeps others from migrating, cannot be made: {error.strerror}",
                hint="SQLite needs a folder that can be written to, for files of its own too",
            ) from error

    def holder(self) -> str:
        """Gives what the one who has the lock has written down."""
        with suppress(OSError):
            return self.path.read_text(encoding="utf-8") or "somebody"
        return "somebody who has ended meanwhile"

    def release(self) -> None:
        """Gives the lock back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # some systems remove no file that is open: it stays, and says nothing
            with suppress(OSError):
                self.path.unlink()
            os.close(descriptor)

    def _is_there(self, descriptor: int) -> bool:
        with suppress(OSError):
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        return False
