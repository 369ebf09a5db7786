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
    FUNCTION = "FUNCTION"  # a window function too
    PROCEDURE = "PROCEDURE"
    AGGREGATE = "AGGREGATE"
    TYPE = "TYPE"
    DOMAIN = "DOMAIN"
    EXTENSION = "EXTENSION"
    ROLE = "ROLE"


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
