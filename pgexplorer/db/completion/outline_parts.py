"""The parts of a statement, however unfinished: words, and groups of them in parentheses; with a caret among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pgexplorer.db.keywords import RESERVED, TYPE_OR_FUNCTION, words
from pgexplorer.db.tokens import COMMENT, KEYWORD, NAME, NUMBER, PARAMETER, PUNCTUATION, QUOTED, STRING, Token

CARET = "caret"
DEEPEST = 60  # parentheses within parentheses, and queries that are looked through for their columns
SET_OPERATIONS = words("union intersect except")
VERBS = words("select values table insert update delete merge")
NO_ALIAS = RESERVED | TYPE_OR_FUNCTION | words("set when values")


@dataclass(frozen=True, slots=True)
class Word:
    """A token: what it is and what it says."""

    kind: str
    text: str

    @property
    def has_caret(self) -> bool:
        """Whether it is the caret."""
        return self.kind == CARET

    @property
    def key(self) -> str:
        """The keyword in small letters, or the operator; "" for what is neither."""
        return "" if self.kind in {NAME, QUOTED, STRING, NUMBER, PARAMETER, CARET} else self.text.lower()

    @property
    def name(self) -> str:
        """The identifier as the server would read it; "" for what is none."""
        if self.kind == QUOTED:
            return self.text[self.text.index('"') + 1 :].removesuffix('"').replace('""', '"')
        return folded(self.text) if self.kind in {NAME, KEYWORD} else ""


@dataclass(eq=False, slots=True)
class Group:
    """What stands between two parentheses, or brackets; or the whole statement."""

    opener: str = ""
    items: list[Item] = field(default_factory=list["Item"])
    has_caret: bool = False

    @property
    def key(self) -> str:
        """No keyword: so that a group can be asked as a word is."""
        return ""

    @property
    def name(self) -> str:
        """No name."""
        return ""

    @property
    def kind(self) -> str:
        """No token."""
        return "group"

    @property
    def is_query(self) -> bool:
        """Whether it begins as a query does."""
        first = self.items[0] if self.items else None
        if isinstance(first, Group):
            return first.is_query
        return first is not None and first.key in VERBS | {"with"}


Item = Word | Group


def folded(text: str) -> str:
    """Return a bare identifier as the server reads it: only A to Z become small."""
    return text.lower() if text.isascii() else "".join(each.lower() if each.isascii() else each for each in text)


def grouped(before: Iterable[tuple[str, Token]], after: Iterable[tuple[str, Token]]) -> list[Group]:
    """Return the groups around the caret, the whole first. Each token comes with the text that it is cut from."""
    whole = Group()
    path = [whole]
    too_deep = 0

    def put(tokens: Iterable[tuple[str, Token]]) -> None:
        nonlocal too_deep
        for text, (kind, start, end) in tokens:
            if kind == COMMENT:
                continue
            said = text[start:end]
            if kind == PUNCTUATION and said in "([":
                if len(path) > DEEPEST:
                    too_deep += 1
                    continue
                group = Group(said)
                path[-1].items.append(group)
                path.append(group)
            elif kind == PUNCTUATION and said in ")]":
                if too_deep:
                    too_deep -= 1
                elif len(path) > 1:
                    path.pop()
            else:
                items = path[-1].items
                # A keyword just behind a dot is a name; behind a space, the name that the dot wants is yet to come.
                is_name = kind == KEYWORD and start > 0 and text[start - 1] == "."
                items.append(Word(NAME if is_name else kind, said))

    put(before)
    around = list(path)
    for group in around:
        group.has_caret = True
    path[-1].items.append(Word(CARET, ""))
    put(after)
    return around


def chain(items: Sequence[Item], at: int) -> tuple[tuple[str, ...], int]:
    """Return the names joined by dots from *at* on, and where they end; a keyword that cannot be a name is none."""
    names: list[str] = []
    while at < len(items):
        word = items[at]
        if not isinstance(word, Word) or not word.name or (not names and word.kind == KEYWORD and word.key in _NO_NAME):
            break
        names.append(word.name)
        at += 1
        if at + 1 < len(items) and items[at].key == "." and items[at + 1].name:
            at += 1
        else:
            break
    return tuple(names), at


_NO_NAME = RESERVED | words("values set") | (TYPE_OR_FUNCTION & words("left right full inner cross natural join"))


def chain_before(items: Sequence[Item], end: int) -> tuple[str, ...]:
    """Return the names joined by dots that end just before *end*."""
    names: list[str] = []
    while end > 0 and isinstance(word := items[end - 1], Word) and word.name:
        if word.kind == KEYWORD and word.key in _NO_NAME:
            break
        names.insert(0, word.name)
        end -= 1
        if end > 1 and items[end - 1].key == ".":
            end -= 1
        else:
            break
    return tuple(names)


def verb(items: Sequence[Item]) -> str:
    """Return the first word that says what a query does; "" where there is none."""
    for at, item in enumerate(items):
        key = item.key
        if key == "table" and at and items[at - 1].key not in {"", "as", "all"}:
            continue  # CREATE TABLE … AS
        if key in VERBS:
            return key
    return ""


def place_of(items: Sequence[Item], key: str, start: int = 0) -> int:
    """Return where the keyword *key* stands first from *start* on; -1 where it does not."""
    return next((at for at in range(start, len(items)) if items[at].key == key), -1)


def holds(items: Sequence[Item], key: str) -> bool:
    """Whether the keyword *key* is among *items*."""
    return any(item.key == key for item in items)


def holds_caret(items: Sequence[Item]) -> bool:
    """Whether the caret is among *items*, or in a group of them."""
    return any(item.has_caret for item in items)


def branches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield the parts of *items* between set operations."""
    start = 0
    for at, item in enumerate(items):
        if item.key in SET_OPERATIONS:
            yield items[start:at]
            start = at + 1
            if start < len(items) and items[start].key in {"all", "distinct"}:
                start += 1
    yield items[start:]


def branch(items: Sequence[Item]) -> Sequence[Item]:
    """Return that part of *items* between set operations which holds the caret."""
    if verb(items) == "insert":
        return items
    return next((part for part in branches(items) if holds_caret(part)), items)


def pieces(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Return *items* cut at their commas."""
    pieces: list[Sequence[Item]] = []
    start = 0
    for at, item in enumerate(items):
        if item.key == ",":
            pieces.append(items[start:at])
            start = at + 1
    pieces.append(items[start:])
    return pieces


_ENDS_LIST = words("from into where group having window order limit offset fetch for union intersect except")


def select_list(items: Sequence[Item], start: int) -> Sequence[Item]:
    """Return the terms of a select list that begins at *start*, without the caret."""
    if start < len(items) and items[start].key in {"all", "distinct"}:
        start += 1
        if start + 1 < len(items) and items[start].key == "on" and isinstance(items[start + 1], Group):
            start += 2
    end = start
    while end < len(items):
        key = items[end].key
        if key in _ENDS_LIST and not (key == "from" and items[end - 1].key == "distinct"):
            break
        end += 1
    return [item for item in items[start:end] if item.kind != CARET]


def is_is(items: Sequence[Item], at: int) -> bool:
    """Whether IS, or IS NOT, ends at *at*: as in IS DISTINCT FROM."""
    return at >= 0 and (items[at].key == "is" or (items[at].key == "not" and at > 0 and items[at - 1].key == "is"))


def is_alias(piece: Sequence[Item]) -> bool:
    """Whether the last word of a term is the name that the term is given."""
    last, before = piece[-1], piece[-2]
    if before.key == "as":
        return True
    if last.kind == KEYWORD and last.key in NO_ALIAS:
        return False
    if before.kind == KEYWORD:
        return before.key in {"end", "null", "true", "false"} or before.key not in NO_ALIAS
    return isinstance(before, Group) or before.kind in {NAME, QUOTED, STRING, NUMBER, PARAMETER}
