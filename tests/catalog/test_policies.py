"""Policies: every privacy class and every pseudonym domain in use has a rule in every policy."""

from __future__ import annotations

import pytest

from khlang.errors import PrivacyError
from khlang.model.contract import PRIVACY_CLASSES, Column, contracts
from khlang.model.policy import Policy, fits, parse, policy

from .conftest import CATALOG

NAMES = sorted(path.stem for path in (CATALOG / "policies").glob("*.toml"))
COLUMNS = [column for contract in contracts().values() for column in contract.columns]
CURRENT = [column for contract in contracts().values() for column in contract.current]
"""What silver holds, and so what may leave."""


def test_there_is_a_policy_and_there_are_columns() -> None:
    assert "lake" in NAMES
    assert len(COLUMNS) > 800


def test_every_privacy_class_is_used_by_some_column() -> None:
    assert {column.privacy for column in COLUMNS} == PRIVACY_CLASSES


@pytest.mark.parametrize("name", NAMES)
def test_every_column_of_every_file_has_an_action(name: str) -> None:
    declared = policy(name)
    assert all(declared.action(column) for column in (COLUMNS if name == "lake" else CURRENT))


@pytest.mark.parametrize("name", NAMES)
def test_identifiers_names_and_contacts_are_never_kept(name: str) -> None:
    declared = policy(name)
    closed = ("direct_person", "direct_local", "staff", "name", "contact", "address", "free_text")
    kept = {privacy for (privacy, _), action in declared.actions.items() if action == "keep"}
    assert not kept & set(closed)


def test_a_class_without_an_action_stops_the_load() -> None:
    text = (CATALOG / "policies/lake.toml").read_text("utf-8")
    without = "\n".join(line for line in text.splitlines() if not line.startswith("free_text ="))
    assert without != text
    with pytest.raises(PrivacyError, match="free_text"):
        parse(without, "lake.toml")


def test_an_unknown_action_stops_the_load() -> None:
    text = (CATALOG / "policies/lake.toml").read_text("utf-8")
    with pytest.raises(PrivacyError, match="publish"):
        parse(text.replace('name = "drop"', 'name = "publish"'), "lake.toml")


def _told(name: str, old: str, new: str) -> str:
    """A declared policy with one thing said otherwise."""
    text = (CATALOG / f"policies/{name}.toml").read_text("utf-8")
    assert text.count(old) == 1
    return text.replace(old, new)


def _checked(text: str) -> Policy:
    """A policy as it is when it is loaded: held against every column."""
    current = [(contract.file, c) for contract in contracts().values() for c in contract.current]
    return fits(parse(text, "test.toml"), current)


def test_an_action_that_does_not_fit_a_type_stops_the_load() -> None:
    wrong = _told("research", 'birth_date = "band"', 'birth_date = "coarse"')
    with pytest.raises(PrivacyError, match=r"policy\.type"):
        _checked(wrong)


def test_a_type_of_a_class_without_an_action_stops_the_load() -> None:
    wrong = _told("research", 'quasi = { char = "coarse", date = "month", ', 'quasi = { char = "coarse", ')
    with pytest.raises(PrivacyError, match=r"policy\.class"):
        _checked(wrong)


def test_a_pseudonym_of_an_undeclared_domain_stops_the_load() -> None:
    with pytest.raises(PrivacyError, match=r"policy\.domain"):
        _checked(_told("research", "hn = false\n", ""))


def test_a_policy_that_names_a_column_of_no_contract_stops_the_load() -> None:
    for old, new in (('"SEX", ', '"SEXX", '), ('"chronic.chronic"', '"chronic.cronic"')):
        with pytest.raises(PrivacyError, match=r"policy\.column"):
            _checked(_told("research", old, new))


def test_values_of_the_lake_are_not_generalised_and_rows_that_leave_are_not_scrubbed() -> None:
    for name, old, new in (
        ("lake", 'birth_date = "keep"', 'birth_date = "band"'),
        ("research", 'free_text = "drop"', 'free_text = "scrub"'),
    ):
        with pytest.raises(PrivacyError, match=r"policy\.audience"):
            parse(_told(name, old, new), name)


def test_a_local_domain_of_rows_that_leave_stops_the_load() -> None:
    with pytest.raises(PrivacyError, match=r"policy\.local"):
        parse(_told("research", "patient = false", "patient = true"), "research")


def test_an_undeclared_audience_has_no_policy() -> None:
    with pytest.raises(PrivacyError, match=r"policy\.unknown"):
        policy("journalists")


def test_a_pseudonym_domain_without_a_rule_stops_the_load() -> None:
    column = Column("STRANGE", "char", "direct_local", domain="nowhere")
    with pytest.raises(PrivacyError, match="nowhere"):
        policy("lake").action(column)


@pytest.mark.parametrize(
    ("file", "column", "privacy", "domain"),
    [
        ("PERSON", "CID", "direct_person", "person"),
        ("PERSON", "MOTHER", "direct_person", "person"),
        ("PERSON", "PID", "direct_local", "patient"),
        ("NEWBORN", "MPID", "direct_local", "patient"),
        ("HOME", "HEADID", "direct_local", "patient"),
        ("SERVICE", "SEQ", "direct_local", "visit"),
        ("ADMISSION", "AN", "direct_local", "stay"),
        ("PROVIDER", "CID", "staff", "staff_person"),
        ("REFER_RESULT", "REFERID_SOURCE", "direct_local", "referral"),
        ("SERVICE", "CHIEFCOMP", "free_text", None),
        ("LABFU", "LABRESULT", "free_text", None),
        ("PERSON", "MOBILE", "contact", None),
        ("HOME", "LATITUDE", "address", None),
    ],
)
def test_a_link_shares_the_domain_of_what_it_points_to(
    file: str, column: str, privacy: str, domain: str | None
) -> None:
    found = contracts()[file].column(column)
    assert (found.privacy, found.domain) == (privacy, domain)
