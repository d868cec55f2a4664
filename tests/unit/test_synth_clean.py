"""A set without faults obeys every contract, read by a checker that shares no code with the generator."""

from __future__ import annotations

import csv
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import pytest

from khlang.model.codes import codes_of
from khlang.model.contract import Column, contracts
from khlang.synth import job
from khlang.synth.plan import Plan

PLAN = Plan(facilities=8, months=3, persons=160, start=date(2026, 8, 1), seed=7, faults="none")
CONTRACTS = contracts()


@dataclass(frozen=True, slots=True)
class Line:
    """One row as sent: which zip, which file, its values by wire name."""

    path: str
    hospcode: str
    file: str
    member: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Invented:
    """A set in memory: its folder, every line in order of arrival, and the lines by file."""

    folder: Path
    lines: list[Line]
    by_file: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))

    def keys(self, file: str, *columns: str) -> set[tuple[str, ...]]:
        """The values of some columns of a file, each combination once."""
        return {tuple(line.values.get(name, "") for name in columns) for line in self.by_file[file]}


def file_of(member: str) -> str:
    """File of the standard that a member's name speaks of."""
    stem = member.rsplit("/", 1)[-1].upper()
    return max((file for file in CONTRACTS if stem.startswith((f"{file}.", f"{file}_"))), key=len)


def read(folder: Path) -> Iterator[Line]:
    """Every line of every zip of a set without faults, by the names in the header."""
    with (folder / "truth" / "deliveries.csv").open(encoding="utf-8") as lines:
        deliveries = list(csv.DictReader(lines))
    for delivery in deliveries:
        with zipfile.ZipFile(folder / "inbox" / delivery["path"]) as opened:
            for member in opened.namelist():
                header, *rows = opened.read(member).decode("utf-8").splitlines()
                names = [name.strip().upper() for name in header.split("|")]
                for row in rows:
                    values = dict(zip(names, row.split("|"), strict=True))
                    yield Line(delivery["path"], delivery["hospcode"], file_of(member), member, values)


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Invented:
    folder = tmp_path_factory.mktemp("invented")
    job.run(PLAN, folder)
    found = Invented(folder, list(read(folder)))
    for line in found.lines:
        found.by_file[line.file].append(line)
    return found


def valid_cid(text: str) -> bool:
    """13 digits, the last one right."""
    total = sum(int(digit) * weight for digit, weight in zip(text[:12], range(13, 1, -1), strict=True))
    return len(text) == 13 and (11 - total % 11) % 10 == int(text[12])


def wrong(column: Column, text: str) -> str:
    """What is wrong with one value, or nothing."""
    if not text:
        return "required" if column.required else ""
    if text != text.strip():
        return "blanks"
    if column.type in ("date", "datetime"):
        form, length = ("%Y%m%d", 8) if column.type == "date" else ("%Y%m%d%H%M%S", 14)
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            return "date"
        return "" if len(text) == length and 1900 < moment.year < 2100 else "date"
    if column.type in ("int", "decimal"):
        found = re.fullmatch(r"-?([0-9]+)(?:\.([0-9]+))?", text)
        if not found:
            return "number"
        digits, decimals = found[1], found[2] or ""
        if len(digits) + len(decimals) > (column.width or 38) or len(decimals) > column.scale:
            return "digits"
        low, high = column.range or (float("-inf"), float("inf"))
        return "" if low <= float(text) <= high else "range"
    if column.width and len(text) > column.width:
        return "width"
    if column.codes and text not in codes_of(column.codes):
        return "code"
    return "checksum" if column.checksum and not valid_cid(text) else ""


def test_all_files_of_the_standard_occur(invented: Invented) -> None:
    assert set(invented.by_file) == set(CONTRACTS)
    assert all(invented.by_file[file] for file in CONTRACTS)


@pytest.mark.parametrize("file", CONTRACTS)
def test_every_value_of_a_clean_set_obeys_its_contract(invented: Invented, file: str) -> None:
    columns = {column.name: column for column in CONTRACTS[file].columns}
    faults = {
        f"{name}: {fault}"
        for line in invented.by_file[file]
        for name, text in line.values.items()
        if (fault := wrong(columns[name], text))
    }
    assert faults == set()


@pytest.mark.parametrize("file", CONTRACTS)
def test_no_key_is_blank_and_none_stands_twice_in_a_member(invented: Invented, file: str) -> None:
    seen: set[tuple[str, ...]] = set()
    for line in invented.by_file[file]:
        key = (line.path, *(line.values.get(name, "") for name in CONTRACTS[file].key))
        assert "" not in key
        assert key not in seen
        seen.add(key)


@pytest.mark.parametrize("file", [file for file in CONTRACTS if CONTRACTS[file].parents])
def test_every_child_has_its_parent(invented: Invented, file: str) -> None:
    for parent in CONTRACTS[file].parents:
        known = invented.keys(parent.file, *parent.parent_columns)
        links = {link for link in invented.keys(file, *parent.columns) if "" not in link}
        assert links <= known


def test_every_row_carries_the_code_of_its_sender(invented: Invented) -> None:
    assert all(line.values["HOSPCODE"] == line.hospcode for line in invented.lines)


def test_a_set_without_faults_has_an_empty_truth_of_faults(invented: Invented) -> None:
    assert (invented.folder / "truth" / "faults.csv").read_text().count("\n") == 1


def test_state_counts_are_the_distinct_keys_by_facility(invented: Invented) -> None:
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for file, contract in CONTRACTS.items():
        for hospcode, *_ in invented.keys(file, *contract.key):
            expected[file, hospcode] += 1
    with (invented.folder / "truth" / "state_counts.csv").open(encoding="utf-8") as lines:
        told = {(row["table"], row["hospcode"]): int(row["rows"]) for row in csv.DictReader(lines)}
    assert told == dict(expected)


def test_one_person_is_known_in_several_facilities_under_one_citizen_id(invented: Invented) -> None:
    places: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    for line in invented.by_file["PERSON"]:
        if line.values["CID"]:
            places[line.values["CID"]].add(line.hospcode)
            kinds[line.values["CID"]].add(line.values["TYPEAREA"])
    several = [cid for cid, where in places.items() if len(where) > 1]
    assert len(several) > 50
    assert any(kinds[cid] & {"1", "3"} and "4" in kinds[cid] for cid in several)


def test_nobody_is_seen_after_death(invented: Invented) -> None:
    died = {(line.hospcode, line.values["PID"]): line.values["DDEATH"] for line in invented.by_file["DEATH"]}
    assert died
    for line in invented.by_file["SERVICE"]:
        assert line.values["DATE_SERV"] <= died.get((line.hospcode, line.values["PID"]), "99999999")


def test_nobody_is_seen_before_birth(invented: Invented) -> None:
    birth = {(line.hospcode, line.values["PID"]): line.values["BIRTH"] for line in invented.by_file["PERSON"]}
    for file in ("SERVICE", "EPI", "LABFU", "NUTRITION", "CHRONICFU", "ANC"):
        for line in invented.by_file[file]:
            assert line.values["DATE_SERV"] >= birth[line.hospcode, line.values["PID"]]


def test_a_newborn_has_a_mother_who_gave_birth_that_day(invented: Invented) -> None:
    births = invented.keys("LABOR", "HOSPCODE", "PID", "BDATE")
    children = invented.keys("NEWBORN", "HOSPCODE", "MPID", "BDATE")
    assert children
    assert children <= births


def test_pregnancies_run_from_care_to_birth_to_vaccines(invented: Invented) -> None:
    called = invented.keys("ANC", "HOSPCODE", "PID")
    born = invented.keys("LABOR", "HOSPCODE", "PID")
    cared = invented.keys("POSTNATAL", "HOSPCODE", "PID")
    vaccinated = invented.keys("EPI", "HOSPCODE", "PID")
    assert len(called & born & cared) > 10
    assert len(invented.keys("NEWBORN", "HOSPCODE", "PID") & vaccinated) > 10


def test_answers_name_a_referral_of_another_facility_and_a_patient_of_their_own(invented: Invented) -> None:
    people = invented.keys("PERSON", "HOSPCODE", "PID")
    answers = invented.by_file["REFER_RESULT"]
    assert answers
    for line in answers:
        assert line.values["HOSP_SOURCE"] != line.hospcode
        assert (line.hospcode, line.values["PID_IN"]) in people


def test_the_charges_of_a_visit_add_up_to_its_price(invented: Invented) -> None:
    paid: dict[tuple[str, str], float] = defaultdict(float)
    for line in {(line.hospcode, line.values["SEQ"], line.values["CHARGEITEM"]): line
                 for line in invented.by_file["CHARGE_OPD"]}.values():  # fmt: skip
        paid[line.hospcode, line.values["SEQ"]] += float(line.values["PRICE"])
    for line in invented.by_file["SERVICE"]:
        assert float(line.values["PRICE"]) == pytest.approx(paid[line.hospcode, line.values["SEQ"]])


def test_visits_fall_on_both_sides_of_the_fiscal_years_end(invented: Invented) -> None:
    days = {line.values["DATE_SERV"] for line in invented.by_file["SERVICE"]}
    assert min(days) < "20261001" <= max(days)


def test_dengue_is_commoner_in_the_rains_than_after_them(tmp_path: Path) -> None:
    job.run(Plan(facilities=4, months=12, persons=200, start=date(2026, 1, 1), faults="none"), tmp_path)
    months: dict[str, int] = defaultdict(int)
    for line in read(tmp_path):
        if line.file == "DIAGNOSIS_OPD" and line.values["DIAGCODE"] in ("A90", "A91", "A972"):
            months[line.values["DATE_SERV"][4:6]] += 1
    assert sum(months[month] for month in ("06", "07", "08")) > 2 * sum(
        months[month] for month in ("01", "02", "12")
    )


def test_members_come_in_every_habit_of_exporters(invented: Invented) -> None:
    names = {line.member for line in invented.lines}
    assert any("/" in name for name in names)
    assert any(name.islower() for name in names)
    assert any(re.search(r"_[0-9]{14}\.txt$", name) for name in names)
    assert any(name.endswith(".TXT") for name in names)
    assert any("HOSPCODE9" not in line.values for line in invented.by_file["SERVICE"])
