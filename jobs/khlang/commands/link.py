"""khlang link: what stewards decide on who a patient is, in pseudonyms only; the next run of silver follows."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from khlang.errors import SettingsError

if TYPE_CHECKING:
    from khlang.lake.ledger import Decision

HOSPCODE = re.compile(r"[0-9]{5}")
PATIENT = re.compile(r"l[0-9]+\.[A-Za-z0-9_-]{22}")
PERSON = re.compile(r"[lp][0-9]+\.[A-Za-z0-9_-]{22}")
NUMBER = re.compile(r"[0-9]{1,9}")
_CID = re.compile(r"[0-9๐-๙](?:[^0-9๐-๙A-Za-zก-๎]{0,3}[0-9๐-๙]){12}")
"""Thirteen digits, however they are parted: no cause needs them."""

Hospcode = Annotated[str, typer.Argument(help="facility, five digits")]
Patient = Annotated[str, typer.Argument(help="pid of silver.person_link: a pseudonym, l1. and 22 characters")]
Cause = Annotated[str, typer.Option(help="why, for the audit; no patient's particulars")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object a line, for machines")]


def register(app: typer.Typer) -> None:
    """Add the commands of stewards."""
    link = typer.Typer(
        help="Who a patient is: stewards' decisions, by pseudonyms only.", no_args_is_help=True
    )
    link.command("part")(part)
    link.command("join")(join)
    link.command("undo")(undo)
    link.command("list")(listed)
    link.command("conflicts")(conflicts)
    app.add_typer(link, name="link")


def part(hospcode: Hospcode, patient: Patient, cause: Cause) -> None:
    """This patient is not the person of its CID: from the next silver run on its rows have a key of their own."""
    _decide(hospcode, patient, None, cause)


def join(
    hospcode: Hospcode,
    patient: Patient,
    person: Annotated[str, typer.Argument(help="person_key of silver.person_link that it is, too")],
    cause: Cause,
) -> None:
    """This patient is that person: from the next silver run on its rows have that person_key.

    Joined to the person_key that it has, nothing moves: the link is looked at and found right.
    """
    _formed(PERSON, person, "PERSON")
    _decide(hospcode, patient, person, cause)


def undo(
    decision: Annotated[str, typer.Argument(help="number of a decision, see `khlang link list`")],
    cause: Cause,
) -> None:
    """Take a decision back: from the next silver run on the deliveries alone tell who the patient is."""
    from khlang.lake.ledger import Ledger
    from khlang.settings import load

    _formed(NUMBER, decision, "DECISION")
    _caused(cause)
    with Ledger.open(load()) as ledger:
        _told(ledger.undo_decision(int(decision), cause, getpass.getuser()))


def listed(as_json: Json = False) -> None:
    """Every decision, oldest first: whom it is about, why, and whether silver has taken it."""
    from rich.table import Table

    from khlang.commands.receipt_form import screen
    from khlang.lake.ledger import Ledger
    from khlang.model.bangkok import clock
    from khlang.settings import load

    with Ledger.open(load()) as ledger:
        found = ledger.decisions()
    if as_json:
        for one in found:
            typer.echo(json.dumps(_plain(one), ensure_ascii=False))
        return
    heads = ("no", "kind", "hospcode", "patient", "person", "state", "cause", "by", "at (Asia/Bangkok)")
    table = Table(*heads)
    for one in found:
        kind = f"undo {one.undoes}" if one.undoes else one.kind
        place = (one.hospcode, one.patient, one.person or "-", state(one), one.cause, one.actor)
        table.add_row(str(one.id), kind, *place, clock(one.decided_at))
    screen().print(table)


def conflicts(as_json: Json = False) -> None:
    """How many patients a steward should look at, by kind; `khlang table gold.person_conflict` shows them."""
    from khlang.lake.reader import table

    counted = table("gold.person_conflict").lazy().group_by("conflict").len().sort("conflict").collect()
    if as_json:
        typer.echo(json.dumps(dict(counted.iter_rows())))
        return
    for conflict, count in counted.iter_rows():
        typer.echo(f"{conflict:<16}{count:>10,}")
    if not counted.height:
        typer.echo("nothing to look at / ไม่มีรายการที่ต้องตรวจสอบ")


def state(decision: Decision) -> str:
    """waiting (the next silver run takes it), in force, undone; an undoing is done once silver took it."""
    if decision.batch is None:
        return "waiting"
    if decision.undoes:
        return "done"
    return "undone" if decision.is_undone else "in force"


def _plain(decision: Decision) -> Mapping[str, Any]:
    """What `link list --json` says of a decision."""
    names = ("id", "kind", "hospcode", "patient", "person", "undoes", "cause", "actor", "batch")
    told = {name: getattr(decision, name) for name in names}
    return told | {"state": state(decision), "decided_at": decision.decided_at.isoformat(timespec="seconds")}


def _decide(hospcode: str, patient: str, person: str | None, cause: str) -> None:
    """Record a decision on a patient whom the lake knows."""
    from khlang.lake.ledger import Ledger
    from khlang.settings import load

    _formed(HOSPCODE, hospcode, "HOSPCODE")
    _formed(PATIENT, patient, "PATIENT")
    _caused(cause)
    _known(f"hospcode = '{hospcode}' AND pid = '{patient}'", "PATIENT")
    if person is not None:
        _known(f"person_key = '{person}'", "PERSON")
    with Ledger.open(load()) as ledger:
        _told(ledger.decide(hospcode, patient, person, cause, getpass.getuser()))


def _told(decision: Decision) -> None:
    typer.echo(f"decision {decision.id}: {decision.kind}; khlang run silver / บันทึกคำวินิจฉัยแล้ว")


def _formed(form: re.Pattern[str], value: str, place: str) -> None:
    """Refuse what has not the form that is asked for, without showing it: it may be an identifier."""
    if not form.fullmatch(value):
        words = ("this is no code, pseudonym or number of the form asked for", "รูปแบบของรหัสหรือนามแฝงไม่ถูกต้อง")
        step = "never a CID or PID: copy hospcode, pid and person_key from `khlang table silver.person_link`"
        raise SettingsError("link.form", *words, place, step)


def _caused(cause: str) -> None:
    """Refuse a decision without a cause, and one whose cause holds an identifier."""
    if not cause.strip() or _CID.search(cause):
        words = ("a decision needs its cause, without identifiers", "ต้องระบุเหตุผล โดยไม่มีเลขประจำตัวของบุคคล")
        raise SettingsError("link.cause", *words, "--cause", 'for example --cause "two sexes under one CID"')


def _known(where: str, place: str) -> None:
    """Refuse a pseudonym that no current link has: a slip of the pen would move a patient to nobody."""
    from khlang.lake.linked import CURRENT, NAME
    from khlang.lake.reader import table

    if table(NAME, f"{where} AND {CURRENT}").lazy().head(1).collect().is_empty():
        words = ("no current link has this pseudonym", "ไม่พบนามแฝงนี้ในการเชื่อมโยงปัจจุบัน")
        step = f'copy it from `khlang table silver.person_link --where "{CURRENT}"`'
        raise SettingsError("link.unknown", *words, place, step)
