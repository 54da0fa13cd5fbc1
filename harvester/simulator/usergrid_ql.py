"""The query language of Usergrid, after the grammar in its source; without `within` and `direct`.

A text is put into lower case as a whole. What is written after the end of a query is not read; so
it is with an `order by` of which the words are two blanks apart.
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

from harvester.simulator.usergrid_shapes import ApiRefusal

Some = TypeVar("Some")
Scalar = bool | int | float | str
Fields = dict[str, list[Scalar]]
"""What the index holds of an entity, by names in lower case; dots lead into objects."""

_TOKEN = re.compile(
    r"(?P<blank>\s+)"
    r"|(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"|(?P<float>-?(?:\d+\.\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+))"
    r"|(?P<long>-?\d+)"
    r"|(?P<string>'(?:\\.|[^\\'])*')"
    r"|(?P<order>order by(?![\w.-]))"
    r"|(?P<word>[a-z_][\w.-]*)"
    r"|(?P<sign><=|>=|[<>=(){},:*]|&&|\|\|)",
    re.ASCII,
)
_SIGNS = {"lt": "<", "lte": "<=", "eq": "=", "gt": ">", "gte": ">=", "&&": "and", "||": "or"}
_KEYWORDS = frozenset({"and", "or", "not", "of", "true", "false", "select", "where", *_SIGNS})
_HOLDS: dict[str, Callable[[str | float, str | float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Values of another type than the literal's are as if they were not there."""

    name: str
    sign: str
    literal: Scalar

    def holds(self, fields: Fields) -> bool:
        asked, kind = self.literal, type(self.literal)
        if self.sign == "=" and isinstance(asked, str) and "*" in asked:
            return any(fnmatchcase(told, asked) for told in _texts(fields, self.name))
        holds = _HOLDS[self.sign]
        told = (_lowered(each) for each in fields.get(self.name, ()) if type(each) is kind)
        return any(holds(each, asked) for each in told)


@dataclass(frozen=True, slots=True)
class Contains:
    """A word of the text is among those asked for, or fits their pattern."""

    name: str
    pattern: str

    def holds(self, fields: Fields) -> bool:
        words = [word for text in _texts(fields, self.name) for word in re.findall(r"\w+", text)]
        if "*" in self.pattern:
            return any(fnmatchcase(word, self.pattern) for word in words)
        return not set(words).isdisjoint(re.findall(r"\w+", self.pattern))


@dataclass(frozen=True, slots=True)
class Not:
    what: "Operand"

    def holds(self, fields: Fields) -> bool:
        return not self.what.holds(fields)


@dataclass(frozen=True, slots=True)
class Joined:
    """Several of which all have to hold, or any."""

    how: Literal["and", "or"]
    parts: tuple["Operand", ...]

    def holds(self, fields: Fields) -> bool:
        held = (part.holds(fields) for part in self.parts)
        return all(held) if self.how == "and" else any(held)


Operand = Comparison | Contains | Not | Joined


@dataclass(frozen=True, slots=True)
class Query:
    """`subjects` are (told as, property), none for all; `order` is (property, is descending).

    `rest` is what stands after its end.
    """

    subjects: tuple[tuple[str, str], ...]
    where: Operand | None
    order: tuple[tuple[str, bool], ...]
    rest: str

    def comparisons(self) -> Iterator[Comparison]:
        """All of them, wherever they stand."""
        yield from _comparisons(self.where)

    def bounds(self, name: str) -> tuple[int, int] | None:
        """Between which two longs a property has to be, both included; None: any of them is."""
        parts = self.where.parts if isinstance(self.where, Joined) else (self.where,)
        if isinstance(self.where, Joined) and self.where.how == "or":
            return None
        longs = [
            (part.sign, part.literal)
            for part in parts
            if isinstance(part, Comparison) and part.name == name and type(part.literal) is int
        ]
        if not longs:
            return None
        first = [long + (sign == ">") for sign, long in longs if sign in (">", ">=", "=")]
        last = [long - (sign == "<") for sign, long in longs if sign in ("<", "<=", "=")]
        return max(first, default=-(2**63)), min(last, default=2**63)


def parsed(text: str) -> Query:
    """Read a query. Raises ApiRefusal."""
    text = text.strip().lower()
    if not text.startswith("select"):
        begins = text.startswith(("order by", "where"))
        text = f"select * {text}" if begins else f"select * where {text}"
    return _Reader(text).query()


class _Reader:
    """A query being read: `_tokens` are (kind, text, place)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0

    def query(self) -> Query:
        subjects: tuple[tuple[str, str], ...] = ()
        if self._skipped("select"):
            subjects = self._subjects()
        is_asked = self._skipped("where")
        kind = self._tokens[self._at][0]
        where = self._any() if is_asked or kind == "word" or self._is("(", "not") else None
        order = self._order() if self._tokens[self._at][0] == "order" else ()
        return Query(subjects, where, order, self._text[self._tokens[self._at][2] :])

    def _subjects(self) -> tuple[tuple[str, str], ...]:
        if self._skipped("*"):
            return ()
        if not self._skipped("{"):
            return tuple((name, name) for name in self._listed(self._word))
        told = self._listed(self._renamed)
        self._expect("}")
        return tuple(told)

    def _renamed(self) -> tuple[str, str]:
        target = self._word()
        self._expect(":")
        return target, self._word()

    def _order(self) -> tuple[tuple[str, bool], ...]:
        self._at += 1
        return tuple(self._listed(self._sort))

    def _sort(self) -> tuple[str, bool]:
        name, is_down = self._word(), self._skipped("desc")
        if not is_down:
            self._skipped("asc")
        return name, is_down

    def _listed(self, one: Callable[[], Some]) -> list[Some]:
        some = [one()]
        while self._skipped(","):
            some.append(one())
        return some

    def _any(self) -> Operand:
        """`or` binds less than `and`."""
        parts = [self._all()]
        while self._skipped("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))

    def _all(self) -> Operand:
        parts = [self._one()]
        while self._skipped("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def _one(self) -> Operand:
        if self._skipped("not"):
            return Not(self._operation())
        return self._operation()

    def _operation(self) -> Operand:
        if self._skipped("("):
            inner = self._any()
            self._expect(")")
            return inner
        name = self._word()
        if self._skipped("contains"):
            return Contains(name, str(self._value("string")))
        sign = self._next()
        if sign not in _HOLDS:
            raise self._wrong(1)
        return Comparison(name, sign, self._value("long", "float", "string", "uuid", "word"))

    def _value(self, *kinds: str) -> Scalar:
        kind, text, _ = self._tokens[self._at]
        if kind not in kinds or (kind == "word" and text not in ("true", "false")):
            raise self._wrong()
        self._at += 1
        if kind == "word":
            return text == "true"
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        return int(text) if kind == "long" else float(text) if kind == "float" else text

    def _word(self) -> str:
        kind, text, _ = self._tokens[self._at]
        if kind != "word" or text in _KEYWORDS:
            raise self._wrong()
        self._at += 1
        return text

    def _next(self) -> str:
        _, text, _ = self._tokens[self._at]
        self._at += 1
        return _SIGNS.get(text, text)

    def _is(self, *texts: str) -> bool:
        kind, text, _ = self._tokens[self._at]
        return kind in ("word", "sign") and _SIGNS.get(text, text) in texts

    def _skipped(self, text: str) -> bool:
        found = self._is(text)
        self._at += found
        return found

    def _expect(self, text: str) -> None:
        if not self._skipped(text):
            raise self._wrong()

    def _wrong(self, back: int = 0) -> ApiRefusal:
        _, text, _ = self._tokens[self._at - back]
        told = f"The query cannot be parsed. The token '{text or '<EOF>'}' at column"
        return ApiRefusal(
            400, "query_parse", f"{told} {self._at - back} on line 1 cannot be parsed"
        )


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            told = f"NoViableAltException('{text[at]}'@[1:1: Tokens])"
            raise ApiRefusal(400, "query_token", told)
        if found.lastgroup != "blank":
            yield str(found.lastgroup), found[0], at
        at = found.end()
    yield "end", "", at


def _comparisons(operand: Operand | None) -> Iterator[Comparison]:
    match operand:
        case Comparison():
            yield operand
        case Not(what):
            yield from _comparisons(what)
        case Joined(_, parts):
            for part in parts:
                yield from _comparisons(part)


def _texts(fields: Fields, name: str) -> list[str]:
    return [each.lower() for each in fields.get(name, ()) if isinstance(each, str)]


def _lowered(told: Scalar) -> str | float:
    return told.lower() if isinstance(told, str) else told
