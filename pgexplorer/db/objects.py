"""What a database is made of: the kinds of object that the tree shows, DDL is written for, and actions meet."""

from dataclasses import dataclass
from enum import StrEnum


class ObjectKind(StrEnum):
    """A kind of object, with the words that PostgreSQL's own statements use for it."""

    DATABASE = "DATABASE"
    SCHEMA = "SCHEMA"
    TABLE = "TABLE"  # a partitioned one and a partition too
    FOREIGN_TABLE = "FOREIGN TABLE"
    VIEW = "VIEW"
    MATERIALIZED_VIEW = "MATERIALIZED VIEW"
    SEQUENCE = "SEQUENCE"
    COLUMN = "COLUMN"
    INDEX = "INDEX"
    CONSTRAINT = "CONSTRAINT"
    TRIGGER = "TRIGGER"
    RULE = "RULE"
    POLICY = "POLICY"
    FUNCTION = "FUNCTION"  # a window function too
    PROCEDURE = "PROCEDURE"
    AGGREGATE = "AGGREGATE"
    TYPE = "TYPE"
    DOMAIN = "DOMAIN"
    EXTENSION = "EXTENSION"
    ROLE = "ROLE"

    @property
    def word(self) -> str:
        """The kind in words, in the middle of a sentence."""
        return self.value.lower()


@dataclass(frozen=True, slots=True)
class DbObject:
    """One object, found again by its oid whatever its name holds."""

    kind: ObjectKind
    oid: int  # of a column: of its relation
    schema: str  # "" for what lies in none: databases, roles, extensions, schemas themselves
    name: str
    part: int = 0  # the number of a column in its relation (pg_attribute.attnum)
    table: str = ""  # the relation that a column, constraint, index or trigger belongs to, in the same schema
    arguments: str = ""  # of a function, as pg_get_function_identity_arguments writes them

    @property
    def path(self) -> str:
        """Where it is and what it is called, for people: names are not quoted in it."""
        parts = (self.schema, self.table, self.name)
        if self.kind in FUNCTIONS:
            return f"{'.'.join(part for part in parts if part)}({self.arguments})"
        return ".".join(part for part in parts if part)


FUNCTIONS = frozenset({ObjectKind.FUNCTION, ObjectKind.PROCEDURE, ObjectKind.AGGREGATE})
RELATIONS = frozenset(
    {ObjectKind.TABLE, ObjectKind.FOREIGN_TABLE, ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW, ObjectKind.SEQUENCE}
)
PARTS = frozenset(  # of a relation
    {
        ObjectKind.COLUMN,
        ObjectKind.INDEX,
        ObjectKind.CONSTRAINT,
        ObjectKind.TRIGGER,
        ObjectKind.RULE,
        ObjectKind.POLICY,
    }
)

_CATALOGS = {
    ObjectKind.SCHEMA: "pg_namespace",
    ObjectKind.CONSTRAINT: "pg_constraint",
    ObjectKind.TRIGGER: "pg_trigger",
    ObjectKind.RULE: "pg_rewrite",
    ObjectKind.POLICY: "pg_policy",
    ObjectKind.TYPE: "pg_type",
    ObjectKind.DOMAIN: "pg_type",
    ObjectKind.EXTENSION: "pg_extension",
    ObjectKind.DATABASE: "pg_database",
    ObjectKind.ROLE: "pg_authid",
    **dict.fromkeys(FUNCTIONS, "pg_proc"),
}


def catalog_of(kind: ObjectKind) -> str:
    """Return the table of pg_catalog in which an object has its oid: of a column that of its relation."""
    return _CATALOGS.get(kind, "pg_class")
