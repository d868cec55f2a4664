"""The checks of the standard as SQL, layer by layer: staged text -> bare -> repaired -> typed -> cleared, faults named.

One text for DuckDB, Spark and PostgreSQL; what they spell differently is in their Dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.peers.shared_keys import is_local
from bench.peers.shared_work import BLANKS, BUDDHIST, CHAPTERS, CHRONIC, action, layouts_with, precision
from khlang.model.codes import codes_of
from khlang.model.contract import UNCHECKED_WIDTH, Column, Contract

THAI = "๐๑๒๓๔๕๖๗๘๙"
NUMBER = "^-?[0-9]+([.][0-9]+)?$"
MOST_ARGUMENTS = 90  # PostgreSQL takes no more than 100
SENDER = "substr(receipt, 5, 5)"

Call = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine spells things. `fence` ends a layer that the engine must not melt into the next.

    `date` and `moment` turn well-formed digits into a value or NULL; `notes` says whether cleared texts are joined
    (relations note_<column>) or come from a function.
    """

    trim: Callable[[str], str]
    match: Call
    cast: Call
    date: Callable[[str], str]
    moment: Callable[[str], str]
    pseudonym: Call
    text: str = "VARCHAR"
    double: str = "DOUBLE"
    timestamp: str = "TIMESTAMP"
    fence: str = ""
    quote: str = '"'
    notes: Callable[[str], str] | None = None

    def q(self, name: str) -> str:
        """A name of a table's column."""
        return f"{self.quote}{name}{self.quote}"

    def type(self, column: Column) -> str:
        """The column's type in the tables."""
        if column.type == "decimal":
            return f"DECIMAL({precision(column)},{column.scale})"
        kinds = {"int": "BIGINT", "date": "DATE", "datetime": self.timestamp}
        return kinds.get(column.type, self.text)


@dataclass(frozen=True, slots=True)
class Checks:
    """One file's query; `filled` names the columns that any sender wrote, `thai` whether Thai digits occur."""

    dialect: Dialect
    contract: Contract
    filled: frozenset[str]
    thai: bool

    @property
    def written(self) -> list[Column]:
        """Columns that any sender wrote."""
        return [column for column in self.contract.current if column.name in self.filled]

    def query(self, staged: str) -> str:
        """Rows of `staged` (receipt, member, line, layout, t_<column> ...) -> rows of the raw table."""
        d, place = self.dialect, "receipt, member, line, layout"
        fence = f" {d.fence}" if d.fence else ""
        bare = [f"nullif({d.trim('t_' + c.field)}, '') AS b_{c.field}" for c in self.written]
        fixed = [f"{fix} AS d_{c.field}" for c in self.written if (fix := self._repaired(c))]
        typed = [f"{value} AS v_{c.field}" for c in self.written if (value := self._typed(c))]
        cleared = [f"{value} AS o_{c.field}" for c in self.written if (value := self._cleared(c))]
        raw = ", ".join(f"t_{c.field}" for c in self.written)
        sql = f"SELECT {place}, {raw}, {', '.join(bare)} FROM {staged}{fence}"
        for number, more in enumerate((fixed, typed, cleared)):
            last = number == 2
            columns = f"x.*, {', '.join(more)}" if more else "x.*"
            sql = f"SELECT {columns} FROM ({sql}) x{self._joins() if last else ''}{fence}"
        final = [f"{self._final(c)} AS {d.q(c.field)}" for c in self.contract.current]
        return f"SELECT {', '.join(final)}, {self._own()} FROM ({sql}) y"

    def _own(self) -> str:
        void = " OR ".join(f"{self._v(self.contract.column(name))} IS NULL" for name in self.contract.key)
        sent = self.dialect.moment("substr(receipt, 11, 14)")
        return (
            f"receipt AS _receipt, member AS _member, line AS _line, {sent} AS _sent_at, "
            f"NOT ({void} OR v_hospcode <> {SENDER}) AS _accepted, {self._faults()} AS _faults"
        )

    def _d(self, column: Column) -> str:
        return f"{'d' if self._repaired(column) else 'b'}_{column.field}"

    def _v(self, column: Column) -> str:
        return f"v_{column.field}" if self._typed(column) else self._d(column)

    def _repaired(self, column: Column) -> str | None:
        """Thai digits, dots of ICD codes, lost zeros, Buddhist years; None when the text stays as it is."""
        text = f"b_{column.field}"
        if self.thai and not (column.type == "char" and column.privacy in UNCHECKED_WIDTH):
            text = f"translate({text}, '{THAI}', '0123456789')"
        if column.icd:
            text = f"replace({text}, '.', '')"
        if column.name == "HOSPCODE":
            return f"CASE WHEN {self.dialect.match(text, '^[0-9]{1,4}$')} THEN lpad({text}, 5, '0') ELSE {text} END"
        if column.codes:
            width = column.width or 0
            codes, long = _listed(column.codes), f"lpad({text}, {width}, '0')"
            lost = f"length({text}) < {width} AND {text} NOT IN {codes} AND {long} IN {codes}"
            return f"CASE WHEN {lost} THEN {long} ELSE {text} END"
        if column.type in ("date", "datetime"):
            return self._gregorian(column, text)
        return None if text == f"b_{column.field}" else text

    def _gregorian(self, column: Column, text: str) -> str:
        """A year from 2400 to 2700 is a Buddhist one."""
        shaped = self.dialect.match(text, f"^[0-9]{{{14 if column.type == 'datetime' else 8}}}$")
        year = f"substr({text}, 1, 4)"
        moved = f"CAST({self.dialect.cast(year, 'INTEGER')} - {BUDDHIST} AS {self.dialect.text}) || substr({text}, 5)"
        return f"CASE WHEN {year} BETWEEN '2400' AND '2700' AND {shaped} THEN {moved} ELSE {text} END"

    def _typed(self, column: Column) -> str | None:
        """Repaired text -> value, NULL where a rule is broken; None when the text is the value."""
        text, d = self._d(column), self.dialect
        if column.type == "date":
            return f"CASE WHEN {d.match(text, '^[0-9]{8}$')} THEN {d.date(text)} END"
        if column.type == "datetime":
            return f"CASE WHEN {d.match(text, '^[0-9]{12}[0-5][0-9]$')} THEN {d.moment(text)} END"
        if column.type in ("int", "decimal"):
            good = self._fits(column, text)
            if column.range:
                low, high = column.range
                good = f"CASE WHEN {good} THEN {d.cast(text, d.double)} BETWEEN {low} AND {high} END"
            return f"CASE WHEN {good} THEN {d.cast(text, d.type(column))} END"
        if column.privacy in UNCHECKED_WIDTH:
            return None
        good = f"length({text}) <= {column.width}" if column.width else "TRUE"
        if column.codes:
            good = f"{text} IN {_listed(column.codes)}"
        if column.checksum == "cid":
            good = f"CASE WHEN {d.match(text, '^[0-9]{13}$')} THEN {self._valid_cid(text)} END"
        return f"CASE WHEN {good} THEN {text} END"

    def _fits(self, column: Column, text: str) -> str:
        """Whether a number has no more digits than the width and no more decimals than the scale."""
        shape = f"^-?[0-9]+([.][0-9]{{1,{column.scale}}})?$" if column.scale else "^-?[0-9]+$"
        digits = f"length(translate({text}, '-.', ''))"
        return f"({self.dialect.match(text, shape)} AND {digits} <= {column.width or 0})"

    def _valid_cid(self, text: str) -> str:
        """The last of 13 digits is the check digit of the others."""
        ascii_of = [f"(ascii(substr({text}, {place}, 1)) - 48)" for place in range(1, 14)]
        weighted = " + ".join(f"{digit} * {14 - place}" for place, digit in enumerate(ascii_of[:12], 1))
        return f"(11 - ({weighted}) % 11) % 10 = {ascii_of[12]}"

    def _cleared(self, column: Column) -> str | None:
        """What may stay of ids and texts; None for columns that are kept or dropped."""
        if action(column) == "scrub":
            notes = self.dialect.notes
            return (
                notes(self._v(column)) if notes else f"coalesce(note_{column.field}.clean, {self._v(column)})"
            )
        if action(column) != "pseudonym" or column.domain is None:
            return None
        message = self._v(column)
        if is_local(column):
            own = f"coalesce(v_hospcode, {SENDER})"
            named = column.facility and self.contract.column(column.facility)
            facility = f"coalesce({self._v(named)}, {own})" if named and named.name in self.filled else own
            message = f"{facility} || ':' || {message}"
        return self.dialect.pseudonym(column.domain, message)

    def _joins(self) -> str:
        if self.dialect.notes:
            return ""
        texts = [column for column in self.written if action(column) == "scrub"]
        return "".join(f" LEFT JOIN note note_{c.field} ON note_{c.field}.text = {self._v(c)}" for c in texts)

    def _final(self, column: Column) -> str:
        if column.name not in self.filled or action(column) == "drop":
            return f"CAST(NULL AS {self.dialect.type(column)})"
        if column.name == "HOSPCODE":
            return f"coalesce(v_hospcode, {SENDER})"
        return f"o_{column.field}" if self._cleared(column) else self._v(column)

    def _faults(self) -> str:
        """`COLUMN:code,...`, NULL where nothing is wrong."""
        found = [f"CASE WHEN v_hospcode <> {SENDER} THEN 'HOSPCODE:row.facility' END"]
        for column in self.contract.current:
            found += self._faults_of(column)
        groups = [found[at : at + MOST_ARGUMENTS] for at in range(0, len(found), MOST_ARGUMENTS)]
        joined = [f"nullif(concat_ws(',', {', '.join(group)}), '')" for group in groups]
        return joined[0] if len(joined) == 1 else f"nullif(concat_ws(',', {', '.join(joined)}), '')"

    def _faults_of(self, column: Column) -> list[str]:
        name, is_key = column.name, column.name in self.contract.key
        none = f"'{name}:{'key' if is_key else 'required'}.missing'"
        known = ", ".join(map(str, layouts_with(self.contract, column)))
        lacks = f"layout IN ({known})"
        must = (is_key or column.required) and bool(known)
        if name not in self.filled:
            return [f"CASE WHEN {lacks} THEN {none} END"] if must else []
        bare, text, value = f"b_{column.field}", self._d(column), self._v(column)
        found = [f"CASE WHEN t_{column.field} <> {bare} THEN '{name}:text.trimmed' END"]
        if text != bare:
            found.append(f"CASE WHEN {bare} <> {text} THEN '{name}:' || {self._repair_code(column)} END")
        if value != text:
            void = f"{value} IS NULL AND {text} IS NOT NULL"
            found.append(f"CASE WHEN {void} THEN '{name}:' || {self._void_code(column)} END")
        if must:
            found.append(f"CASE WHEN {bare} IS NULL AND {lacks} THEN {none} END")
        if action(column) == "scrub":
            found.append(f"CASE WHEN o_{column.field} <> {value} THEN '{name}:note.identifier' END")
        return found

    def _repair_code(self, column: Column) -> str:
        kinds = {"date": "date.buddhist", "datetime": "date.buddhist"}
        code = kinds.get(column.type, "code.dots" if column.icd else "code.zeros")
        thai = self.dialect.match(f"b_{column.field}", f"[{THAI}]")
        return f"CASE WHEN {thai} THEN 'digits.thai' ELSE '{code}' END" if self.thai else f"'{code}'"

    def _void_code(self, column: Column) -> str:
        text, is_key = self._d(column), column.name in self.contract.key
        if column.type in ("date", "datetime"):
            return f"'{'key' if is_key else 'date'}.unreadable'"
        if column.type in ("int", "decimal"):
            shaped = (
                f"NOT {self.dialect.match(text, NUMBER)} THEN '{'key' if is_key else 'number'}.unreadable'"
            )
            return f"CASE WHEN {shaped} WHEN {self._fits(column, text)} THEN 'number.range' ELSE 'text.too_long' END"
        listed = "code.unknown" if column.codes else "cid.checksum"
        return f"CASE WHEN length({text}) > {column.width or 0} THEN 'text.too_long' ELSE '{listed}' END"


def _listed(codes: str) -> str:
    """A closed code list as SQL."""
    return "(" + ", ".join(f"'{code}'" for code in sorted(codes_of(codes))) + ")"


def sums(month: str, table: Callable[[str], str]) -> dict[str, str]:
    """Name -> query of the sums over current tables; `month` writes date_serv as yyyy-mm."""
    code = "substr(diagcode, 1, 3)"
    chapters = " ".join(
        f"WHEN {code} BETWEEN '{low}' AND '{high}' THEN '{name}'" for name, low, high in CHAPTERS
    )
    patients = " UNION ALL ".join(
        f"SELECT '{name}' AS name, count(DISTINCT pid) AS patients FROM {table('chronic')} "
        f"WHERE substr(chronic, 1, 3) BETWEEN '{low}' AND '{high}'"
        for name, (low, high) in CHRONIC.items()
    )
    return {
        "facility_month": f"SELECT hospcode, {month} AS served_month, count(*) AS visits, "
        f"count(DISTINCT pid) AS patients FROM {table('service')} GROUP BY 1, 2",
        "chapter": f"SELECT CASE {chapters} END AS chapter, count(*) AS diagnoses "
        f"FROM {table('diagnosis_opd')} GROUP BY 1",
        "chronic_patient": patients,
    }


def answer(
    months: Sequence[tuple[int, int]],
    chapters: Sequence[tuple[str | None, int]],
    chronic: Sequence[tuple[str, int]],
) -> dict[str, object]:
    """Rows of the three sums -> what the peer tells."""
    return {
        "visits": sum(visits for visits, _ in months), "patients": sum(people for _, people in months),
        "facility_months": len(months), "diagnoses": sum(count for _, count in chapters),
        "chapters": dict(sorted(one for one in chapters if one[0])), **dict(chronic),
    }  # fmt: skip


def plain_trim(text: str) -> str:
    """`trim` as DuckDB and PostgreSQL spell it."""
    return f"btrim({text}, '{BLANKS}')"
