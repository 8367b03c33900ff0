"""What became of a transaction, asked by its number, which a server that has crashed may give to another one."""

from __future__ import annotations

NUMBER = "SELECT pg_current_xact_id()::text::bigint, now()"
"""Gives the transaction's number, and when it began by the server's clock."""

# A crash loses what was not yet on disk, numbers among it, which are given again then. The checkpoint at the end of a
# recovery begins where it stands, as no other does, and knows the first number that nobody has had before the crash; it
# knows its time by the second.
OUTCOME = """\
WITH asked AS (SELECT $1::bigint AS xid, $2::timestamptz AS begun),
last AS (
  SELECT split_part(next_xid, ':', 1)::bigint * 4294967296 + split_part(next_xid, ':', 2)::bigint AS next,
    redo_lsn = checkpoint_lsn AS recovered, checkpoint_time
  FROM pg_control_checkpoint()
),
known AS (
  SELECT *, begun < pg_postmaster_start_time() OR recovered AND begun < checkpoint_time AS ended,
    recovered AND date_trunc('second', begun) <= checkpoint_time AS doubtful
  FROM asked, last
)
SELECT CASE
  WHEN begun IS NULL OR NOT (ended OR doubtful) THEN pg_xact_status(xid::text::xid8)
  WHEN xid >= next THEN CASE WHEN ended THEN 'aborted' END
  WHEN recovered THEN pg_xact_status(xid::text::xid8)
  WHEN pg_xact_status(xid::text::xid8) IN ('aborted', 'in progress') THEN 'aborted'
END FROM known"""
"""Gives what became of $1, which began at $2 (NULL: whatever has the number is meant); NULL if nobody knows."""
