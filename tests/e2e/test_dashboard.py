"""The planner's page in a real browser: rows, map, Thai letters, badges; nothing small, nothing foreign."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from khlang.lake.secrets import Secrets
from lakes import Lake, free_base_port

from .dashboard import CHARTS, Visit, look
from .release import HIDDEN_PROVINCES, publish_invented

pytestmark = pytest.mark.stack

SMALL = re.compile(r'"(?:numerator|denominator)(?:_shown)?": ?(?:"[1-7]"|[1-7] ?[,}])')


@pytest.fixture(scope="module")
def dashboards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A stack with the dashboards and an invented release."""
    home = tmp_path_factory.mktemp("dashboards")
    for folder in (home, *home.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)  # the database's own account passes through
    lake = Lake(home, free_base_port(21000))
    lake.run("up", "--only", "superset")
    try:
        publish_invented(lake.settings)
        yield lake
    finally:
        lake.run("down")


@pytest.fixture(scope="module")
def address(dashboards: Lake) -> str:
    return f"http://127.0.0.1:{dashboards.settings.port('superset')}"


@pytest.fixture(scope="module")
def visit(dashboards: Lake, address: str, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """One visit of the planner; its picture stays in pytest's folder."""
    password = Secrets.open(dashboards.settings).superset_planner_password
    seen = look(address, "planner", password, tmp_path_factory.mktemp("picture"))
    print(f"\n  picture: {seen.picture}")
    return seen


def test_every_chart_gets_rows(visit: Visit) -> None:
    assert len(visit.answers) == CHARTS
    assert [name for name, rows in visit.answers.items() if not rows] == []


def test_the_map_is_coloured_and_hidden_provinces_are_not(visit: Visit) -> None:
    assert (visit.coloured, visit.grey) == (77 - len(HIDDEN_PROVINCES), len(HIDDEN_PROVINCES))


def test_no_small_count_reaches_the_browser(visit: Visit) -> None:
    assert visit.bodies
    assert [found.group() for body in visit.bodies for found in SMALL.finditer(body)] == []


def test_a_hidden_cell_says_so_and_carries_no_number(visit: Visit) -> None:
    rows = [
        row for row in visit.answers["รายจังหวัด / By province"] if row["numerator_shown"].startswith("ปกปิด")
    ]
    assert len(rows) == len(HIDDEN_PROVINCES)
    assert {(row["measure"], row["denominator_shown"]) for row in rows} == {(None, "ปกปิด / suppressed")}


def test_the_page_speaks_thai_with_english_beside(visit: Visit) -> None:
    for words in (
        "ตัวชี้วัด",
        "ความครอบคลุม / Coverage",
        "ข้อมูล ณ / As of",
        "22 พ.ย. 2569",
        "Diabetes well controlled",
    ):
        assert words in visit.text, words


def test_no_letter_of_the_page_lacks_a_glyph(visit: Visit) -> None:
    assert visit.missing_glyphs == []


def test_the_badges_tell_coverage_and_target(visit: Visit) -> None:
    assert "87.5 %" in visit.text and "2,800 จาก / of 3,200" in visit.text
    assert "เป้าหมาย / target ≥ 40 %" in visit.text


def test_the_picture_is_kept(visit: Visit) -> None:
    assert visit.picture.stat().st_size > 50_000


def test_nothing_of_another_host_is_loaded(visit: Visit) -> None:
    assert visit.foreign == []


@pytest.fixture(scope="module")
def planner(dashboards: Lake, address: str) -> requests.Session:
    """The planner at the API."""
    session = requests.Session()
    session.trust_env = False
    credentials = {
        "username": "planner", "password": Secrets.open(dashboards.settings).superset_planner_password,
        "provider": "db", "refresh": False,
    }  # fmt: skip
    token = session.post(f"{address}/api/v1/security/login", json=credentials, timeout=60).json()[
        "access_token"
    ]
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def test_a_planner_sees_one_dashboard(planner: requests.Session, address: str) -> None:
    found = planner.get(f"{address}/api/v1/dashboard/", timeout=60).json()
    assert [dashboard["slug"] for dashboard in found["result"]] == ["health-overview"]


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/api/v1/database/"), ("GET", "/api/v1/query/"), ("GET", "/api/v1/security/users/"),
        ("POST", "/api/v1/sqllab/execute/"), ("POST", "/api/v1/dashboard/"), ("DELETE", "/api/v1/dashboard/1"),
        ("POST", "/api/v1/chart/"), ("PUT", "/api/v1/dataset/1"), ("GET", "/api/v1/log/"),
    ],
)  # fmt: skip
def test_a_planner_is_refused_what_is_not_reading(
    verb: str, path: str, planner: requests.Session, address: str
) -> None:
    token = planner.get(f"{address}/api/v1/security/csrf_token/", timeout=60).json().get("result", "")
    answer = planner.request(
        verb, address + path, json={}, timeout=60, headers={"X-CSRFToken": token, "Referer": address}
    )
    assert answer.status_code in (401, 403, 404), (answer.status_code, answer.text[:200])


def test_a_second_provisioning_changes_nothing(dashboards: Lake) -> None:
    before = (dashboards.home / "superset/provisioned").stat().st_mtime_ns
    dashboards.run("up", "--only", "superset")
    assert (dashboards.home / "superset/provisioned").stat().st_mtime_ns == before


def test_no_password_stands_in_the_assets() -> None:
    assets = sorted((Path(__file__).resolve().parents[2] / "infra/superset/assets").rglob("*.yaml"))
    assert assets
    for path in assets:
        found = re.search(r"sqlalchemy_uri: .*://[^:]+:([^@]+)@", path.read_text(encoding="utf-8"))
        assert found is None or found.group(1) == "XXXXXXXXXX", path.name
