"""What the engine says, as plain data for `--json`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cormorant._internal.secrets import without_secrets
from cormorant.cli.choosing import Looked, Losses
from cormorant.migrations.making import Draft
from cormorant.migrations.running.adopting import Adopted
from cormorant.migrations.running.outcomes import Drift, Plan, PlannedStep, Proof, Report, Status

Document = dict[str, object]


def status_document(status: Status) -> Document:
    """Gives which migrations a database has."""
    return {
        "current": status.is_current,
        "applied": [
            {"migration": record.key, "applied_at": record.applied_at.isoformat(), "seconds": record.seconds}
            for record in status.applied
        ],
        "pending": [{"migration": file.key, "title": file.title} for file in status.pending],
        "started": [{"migration": record.key, "steps_done": record.step} for record in status.started],
        "changed": list(status.changed),
        "missing": list(status.missing),
    }


def plan_document(plan: Plan, losses: Losses) -> Document:
    """Gives what a run would do, and what would be lost."""
    migrations = [
        {
            "migration": each.migration,
            "down": each.down,
            "steps": list(map(_step, each.steps)),
            "losses": [{"name": loss.name, "rows": loss.rows} for loss in losses[each.migration]],
        }
        for each in plan.migrations
    ]
    return {"migrations": migrations}


def _step(step: PlannedStep) -> Document:
    sql = list(map(without_secrets, step.sql))
    return {"number": step.number, "words": step.words, "sql": sql, "outside": step.outside}


def report_document(report: Report) -> Document:
    """Gives what a run did."""
    ran = [
        {"migration": each.migration, "seconds": each.seconds, "steps": each.steps, "resumed": each.resumed}
        for each in report.ran
    ]
    return {"ran": ran, "down": report.down, "fake": report.fake}


def drift_document(drift: Drift) -> Document:
    """Gives where models, migrations and a database differ."""
    return {
        "drift": bool(drift),
        "unmade": [operation.describe() for operation in drift.unmade],
        "unapplied": list(drift.unapplied),
        "repairs": [operation.describe() for operation in drift.repairs],
        "unmanaged": list(drift.unmanaged),
        "changed": list(drift.changed),
        "missing": list(drift.missing),
    }


def proof_document(proof: Proof) -> Document:
    """Gives what became of migrations on an empty database."""
    return {
        "holds": proof.holds,
        "migrations": list(proof.migrations),
        "differences": [operation.describe() for operation in proof.differences],
        "left": [operation.describe() for operation in proof.left],
        "again": [operation.describe() for operation in proof.again],
        "irreversible": proof.irreversible,
    }


def adopted_document(adopted: Adopted) -> Document:
    """Gives what was taken over."""
    return {
        "migration": adopted.migration,
        "path": str(adopted.path),
        "tables": list(adopted.tables),
        "left_out": list(adopted.left_out),
    }


def drafts_document(drafts: Iterable[Draft], paths: Sequence[str]) -> Document:
    """Gives new migrations, and their files where they were written."""
    made = [
        {
            "migration": draft.key,
            "steps": draft.describe(),
            "losses": [loss.name for loss in draft.losses],
            "path": paths[place] if place < len(paths) else None,
            "source": draft.source,
        }
        for place, draft in enumerate(drafts)
    ]
    return {"made": made}


def findings_document(found: Iterable[Looked]) -> Document:
    """Gives what was found in migrations."""
    findings = [
        {
            "migration": looked.migration,
            "step": finding.place + 1 if finding.place >= 0 else None,
            "level": finding.level,
            "rule": finding.rule,
            "operation": finding.operation,
            "why": finding.why,
            "locks": [{"mode": lock.mode, "table": lock.on} for lock in finding.locks],
            "instead": [step.describe() for step in finding.instead],
            "advice": finding.advice,
        }
        for looked in found
        for finding in looked.findings
    ]
    return {"findings": findings}
