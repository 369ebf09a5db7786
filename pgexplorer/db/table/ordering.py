"""The order in which a table is read, and what comes after or before a row in it, as SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from psycopg2 import sql

from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.statements import split
from pgexplorer.db.values import Row


@dataclass(frozen=True, slots=True)
class Sort:
    """A column by which a table is sorted. NULLs come as PostgreSQL puts them: last, and first when descending."""

    column: str
    descending: bool = False


class Operator(Enum):
    """How a column is compared with a value; the words are the ones on screen."""

    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    CONTAINS = "contains"
    BEGINS = "begins with"
    MATCHES = "matches"
    IS_NULL = "is NULL"
    IS_NOT_NULL = "is not NULL"

    @property
    def takes_value(self) -> bool:
        """Whether there is something to compare with."""
        return self not in {Operator.IS_NULL, Operator.IS_NOT_NULL}


@dataclass(frozen=True, slots=True)
class Condition:
    """A column compared with a value, which is the server's text for it and is never taken as SQL."""

    column: str
    operator: Operator
    value: str = ""

    @property
    def words(self) -> str:
        """The condition in one line: "last_name contains gar"."""
        return f"{self.column} {self.operator.value} {self.value}" if self.operator.takes_value else self._unary

    @property
    def _unary(self) -> str:
        return f"{self.column} {self.operator.value}"

    def sql(self) -> sql.Composable:
        """Return it as an expression over the alias t."""
        column = sql.Identifier("t", self.column)
        match self.operator:
            case Operator.IS_NULL:
                return column + sql.SQL(" IS NULL")
            case Operator.IS_NOT_NULL:
                return column + sql.SQL(" IS NOT NULL")
            case Operator.CONTAINS:
                return _text(column) + sql.SQL(" ILIKE ") + containing(self.value)
            case Operator.BEGINS:
                return _text(column) + sql.SQL(" ILIKE ") + quoted(f"{_plain(self.value)}%")
            case Operator.MATCHES:
                return _text(column) + sql.SQL(" ~* ") + quoted(self.value)
            case _:
                # A literal of unknown type becomes one of the column's type, which an index can serve.
                return column + raw(f" {self.operator.value} ") + quoted(self.value)


@dataclass(frozen=True, slots=True)
class Term:
    """One column of an order."""

    column: str
    type_name: str  # what its values are cast to: a literal of text alone would be compared as text
    descending: bool = False
    nullable: bool = False

    def reversed(self) -> "Term":
        """Return it for reading the other way; NULLs change their end with it."""
        return Term(self.column, self.type_name, not self.descending, self.nullable)

    @property
    def name(self) -> sql.Composable:
        """The column over the alias t."""
        return sql.Identifier("t", self.column)

    def order(self) -> sql.Composable:
        """Return it as a part of ORDER BY. The default place of NULLs is the one that an index has."""
        return self.name + raw(" DESC") if self.descending else self.name

    def value(self, text: str) -> sql.Composable:
        """Return the server's *text* as a value of the column's type."""
        return quoted(text) + raw(f"::{self.type_name}")

    def same(self, text: str | None) -> sql.Composable:
        """Return the condition that the column has this value, or is NULL."""
        return self.name + (raw(" IS NULL") if text is None else raw(" = ") + self.value(text))

    def beyond(self, text: str | None) -> Sequence[sql.Composable]:
        """Return the conditions under which a row comes strictly later than this value, in the order of their rows."""
        if text is None:
            return [self.name + raw(" IS NOT NULL")] if self.descending else []
        found = [self.name + raw(" < " if self.descending else " > ") + self.value(text)]
        if self.nullable and not self.descending:
            found.append(self.name + raw(" IS NULL"))
        return found


class Order:
    """An order in which no two rows are the same: it ends in the columns of a key."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)

    def reversed(self) -> "Order":
        """Return it for reading the other way."""
        return Order([term.reversed() for term in self.terms])

    def by(self) -> sql.Composable:
        """Return it as what stands behind ORDER BY."""
        return sql.SQL(", ").join([term.order() for term in self.terms])

    def at(self, place: Row) -> sql.Composable:
        """Return the condition for the row at *place* itself."""
        return _all([term.same(text) for term, text in zip(self.terms, place, strict=True)])

    def after(self, place: Row) -> Sequence[sql.Composable]:
        """Return the conditions for what comes after the row at *place*, one for each stretch, in their order.

        *place* has one text for each term. A disjunction of them would be one condition, which no index serves; each
        of these alone is served by one, and reading them one after the other gives the rows in order.
        """
        terms = self.terms
        tail = len(terms) - 1
        while tail and self._goes_with(tail - 1, tail):
            tail -= 1
        same = [term.same(text) for term, text in zip(terms[:tail], place, strict=False)]
        last = terms[tail:]
        sign = raw(" < " if last[0].descending else " > ")
        values = [term.value(text or "") for term, text in zip(last, place[tail:], strict=True)]
        names = [term.name for term in last]
        if len(last) == 1:
            found = [_all([*same, names[0] + sign + values[0]])]
        else:
            row = sql.SQL("(") + sql.SQL(", ").join(names) + raw(")") + sign
            found = [_all([*same, row + raw("(") + sql.SQL(", ").join(values) + raw(")")])]
        for at in reversed(range(tail)):
            found += [_all([*same[:at], beyond]) for beyond in terms[at].beyond(place[at])]
        return found

    def _goes_with(self, one: int, other: int) -> bool:
        """Whether two neighbours can be compared as a row: the same direction, and no NULLs."""
        first, second = self.terms[one], self.terms[other]
        return first.descending == second.descending and not first.nullable and not second.nullable


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of a table are meant, and in which order they come."""

    where: str = ""  # a condition as it stands behind WHERE, typed by a person
    conditions: tuple[Condition, ...] = ()
    sorts: tuple[Sort, ...] = ()

    def __bool__(self) -> bool:
        """Whether not all rows are meant."""
        return bool(self.where.strip() or self.conditions)

    @property
    def words(self) -> str:
        """The conditions in one line."""
        return " and ".join([*filter(None, [self.where.strip()]), *(each.words for each in self.conditions)])

    def check(self) -> None:
        """Raise RefusedSql where it cannot be sent."""
        if "\0" in self.where or any("\0" in each.value for each in self.conditions):
            raise RefusedSql("The filter holds a NUL character.")
        if self.where.strip() and len(split(f"SELECT 1 WHERE ({self.where}\n)")) != 1:
            raise RefusedSql("The filter is one condition, as it stands behind WHERE.")

    def parts(self) -> tuple[sql.Composable, ...]:
        """Return the conditions as SQL over the alias t, to be joined by AND."""
        # A line comment at the end of what was typed must not swallow the bracket.
        typed = (raw(f"({self.where}\n)"),) if self.where.strip() else ()
        return (*typed, *(raw("(") + each.sql() + raw(")") for each in self.conditions))

    def tail(self) -> sql.Composable:
        """Return WHERE and ORDER BY, empty where there is neither."""
        found: sql.Composable = raw("")
        if parts := self.parts():
            found = raw(" WHERE ") + raw(" AND ").join(parts)
        if self.sorts:
            terms = [Term(sort.column, "", sort.descending).order() for sort in self.sorts]
            found = found + raw(" ORDER BY ") + sql.SQL(", ").join(terms)
        return found


def raw(text: str) -> sql.SQL:
    """Take text as SQL: a person's own condition, a type name as the server wrote it, words of ours."""
    return sql.SQL(text)  # type: ignore[arg-type]  # the stubs ask for a literal


def quoted(text: str) -> sql.Composable:
    """Return *text* as a literal that means the same whatever standard_conforming_strings says.

    psycopg2's own would refuse bytes that are in no encoding, and with placeholders it would read every % as one.
    """
    return raw(literal(text))


def literal(text: str) -> str:
    """Return what `quoted` does as text."""
    doubled = text.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in text else f"'{doubled}'"


def containing(text: str) -> sql.Composable:
    """Return the pattern for LIKE of what holds *text*."""
    return quoted(f"%{_plain(text)}%")


def _all(conditions: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(conditions)


def _text(column: sql.Composable) -> sql.Composable:
    """Return a column of any type as the text that the grid shows; NULL stays NULL.

    It has the database's collation: ILIKE and regular expressions refuse one that is not deterministic.
    """
    return sql.SQL('CASE WHEN {0} IS NOT NULL THEN concat({0}) END COLLATE pg_catalog."default"').format(column)


def _plain(text: str) -> str:
    r"""Return *text* for LIKE with nothing special in it."""
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
