"""Every operation under one name: `from cormorant.schema import steps as op`."""

from cormorant.schema.column_operations import AddColumn, AlterColumn, DropColumn, RenameColumn
from cormorant.schema.index_operations import (
    AlterEnum,
    CreateEnum,
    CreateIndex,
    CreateSearchIndex,
    DropEnum,
    DropIndex,
    DropSearchIndex,
    RenameEnum,
    RenameIndex,
)
from cormorant.schema.operations import (
    AddConstraint,
    CommentTable,
    CreateSchema,
    CreateTable,
    DropConstraint,
    DropSchema,
    DropTable,
    Operation,
    RenameConstraint,
    RenameTable,
    UnvalidateConstraint,
    ValidateConstraint,
)
from cormorant.schema.rebuild import RebuildTable
from cormorant.schema.shadow_operations import ShadowColumn, SwapColumn, UnshadowColumn, UnswapColumn

__all__ = [
    "AddColumn",
    "AddConstraint",
    "AlterColumn",
    "AlterEnum",
    "CommentTable",
    "CreateEnum",
    "CreateIndex",
    "CreateSchema",
    "CreateSearchIndex",
    "CreateTable",
    "DropColumn",
    "DropConstraint",
    "DropEnum",
    "DropIndex",
    "DropSchema",
    "DropSearchIndex",
    "DropTable",
    "Operation",
    "RebuildTable",
    "RenameColumn",
    "RenameConstraint",
    "RenameEnum",
    "RenameIndex",
    "RenameTable",
    "ShadowColumn",
    "SwapColumn",
    "UnshadowColumn",
    "UnswapColumn",
    "UnvalidateConstraint",
    "ValidateConstraint",
]
