"""The assets folder and secrets.json -> a Superset that a planner can sign in to; run again, it changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ASSETS = HERE / "assets"
INDICATORS = HERE.parents[1] / "jobs" / "khlang" / "catalog" / "indicators"
DATABASE_FILE = "databases/khlang.yaml"
GOALS_LINE = "-- the catalog's targets: provision.py replaces this line"
FIRST = "dm_control"
"""The indicator that the page shows first."""
PLANNER = "Planner"
ALLOWED = {
    "can_csv on Superset", "can_dashboard on Superset", "can_dashboard_permalink on Superset",
    "can_explore_json on Superset", "can_fetch_datasource_metadata on Superset", "can_slice on Superset",
    "can_language_pack on Superset", "can_log on Superset", "can_get on Datasource", "can_get on MenuApi",
    "can_get_drill_info on Dataset", "can_list on AsyncEventsRestApi", "can_query on Api",
    "can_query_form_data on Api", "can_time_range on Api", "can_read on Chart", "can_read on CssTemplate",
    "can_read on CurrentUserRestApi", "can_write on CurrentUserRestApi", "can_read on Dashboard",
    "can_read on DashboardFilterStateRestApi", "can_write on DashboardFilterStateRestApi",
    "can_read on DashboardPermalinkRestApi", "can_write on DashboardPermalinkRestApi",
    "can_read on Dataset", "can_read on Theme", "can_read on security",
    "can_read on SecurityRestApi", "can_recent_activity on Log",
    "can_share_dashboard on Superset", "can_view_chart_as_table on Dashboard",
    "can_this_form_get on ResetMyPasswordView", "can_this_form_post on ResetMyPasswordView",
    "can_userinfo on UserDBModelView", "resetmypassword on UserDBModelView",
    "menu_access on Dashboards", "menu_access on Home",
}  # fmt: skip
"""All that a planner may do; what is not listed here is refused."""


def main() -> None:
    """Bring the metadata database, the assets, the roles and the users to what the tree says."""
    secrets = json.loads((home() / "secrets.json").read_text(encoding="utf-8"))
    done, wanted = home() / "superset" / "provisioned", digest(secrets)
    if "--force" not in sys.argv and done.exists() and done.read_text(encoding="utf-8") == wanted:
        print("dashboards: unchanged")
        return
    done.parent.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    from superset.app import create_app

    with create_app().app_context():
        provision(secrets)
    done.write_text(wanted, encoding="utf-8")
    print("dashboards: provisioned")


def home() -> Path:
    """KHLANG_HOME as an absolute path."""
    return Path(os.environ.get("KHLANG_HOME", ".khlang")).resolve()


def digest(secrets: dict[str, str]) -> str:
    """One hash of all that provisioning depends on; equal means that nothing is to be done."""
    parts = [version("apache-superset"), database_uri(), json.dumps(secrets, sort_keys=True)]
    files = [path for path in sorted(HERE.rglob("*")) if path.suffix in (".yaml", ".py")]
    parts += [goals(), *(path.read_text(encoding="utf-8") for path in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def database_uri() -> str:
    """Where the serving schema is, without the password."""
    port = int(os.environ.get("KHLANG_BASE_PORT", "18700")) + 20
    here = f"postgresql+psycopg2://planner:XXXXXXXXXX@127.0.0.1:{port}/khlang"
    return os.environ.get("KHLANG_SERVING_URL", here)


def goals() -> str:
    """SQL rows (indicator, place in lists, unit, direction, target) of every indicator of the catalog."""
    every = [tomllib.loads(path.read_text(encoding="utf-8")) for path in INDICATORS.glob("*.toml")]
    if not every:
        raise SystemExit(f"dashboards: no indicator in {INDICATORS}")
    every.sort(key=lambda one: (one["id"] != FIRST, "target" not in one, one["id"]))
    return "VALUES " + ", ".join(goal(place, one) for place, one in enumerate(every, start=1))


def goal(place: int, indicator: dict[str, Any]) -> str:
    """One SQL row: events per person are a ratio, events alone a count, everything else a share."""
    target = indicator.get("target", {})
    unit = {"month": "count"}.get(indicator["period"], "percent")
    unit = "ratio" if indicator["counting"] == "distinct" else unit
    direction = f"'{target['direction']}'" if target else "NULL"
    value = float(target["value"]) if target else "NULL::float"
    return f"('{indicator['id']}', {place}, '{unit}', {direction}, {value})"


def provision(secrets: dict[str, str]) -> None:
    """Migrate, then users and roles, then assets as the administrator, then what the planner may read."""
    from flask_migrate import upgrade
    from superset.extensions import appbuilder, db, security_manager
    from superset.utils.core import override_user

    upgrade()
    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()
    admin = user("admin", "Admin", secrets["superset_admin_password"])
    with override_user(admin):
        import_assets(secrets["planner_db_password"])
    grant_planner()
    user("planner", PLANNER, secrets["superset_planner_password"])
    db.session.commit()


def import_assets(password: str) -> None:
    """What `superset import-directory --overwrite` does, with the password handed over in memory."""
    from superset.commands.importers.v1.assets import ImportAssetsCommand

    contents = {
        p.relative_to(ASSETS).as_posix(): p.read_text(encoding="utf-8") for p in ASSETS.rglob("*.yaml")
    }
    contents = {name: completed(text) for name, text in contents.items()}
    ImportAssetsCommand(contents, passwords={DATABASE_FILE: password}).run()


def completed(text: str) -> str:
    """An asset's text with what only this installation knows: the address, and the catalog's targets."""
    lines = []
    for line in text.splitlines():
        if line.startswith("sqlalchemy_uri:"):
            line = f"sqlalchemy_uri: {json.dumps(database_uri())}"
        elif line.endswith(GOALS_LINE):
            line = line[: len(line) - len(line.lstrip())] + goals()
        lines.append(line)
    return "\n".join(lines)


def grant_planner() -> None:
    """Role Planner: the listed permissions, and the datasets of our own database, nothing else."""
    from superset.connectors.sqla.models import SqlaTable
    from superset.extensions import db, security_manager

    role = security_manager.add_role(PLANNER)
    wanted = [security_manager.find_permission_view_menu(*entry.split(" on ")) for entry in sorted(ALLOWED)]
    missing = [entry for entry, found in zip(sorted(ALLOWED), wanted, strict=True) if found is None]
    if missing:
        raise SystemExit(f"dashboards: this version knows no permission {', '.join(missing)}")
    for dataset in db.session.query(SqlaTable).all():
        wanted.append(security_manager.add_permission_view_menu("datasource_access", dataset.perm))
    role.permissions = wanted
    db.session.commit()


def user(name: str, role: str, password: str) -> Any:
    """Make the user, or give it the password and the role that it should have."""
    from superset.extensions import db, security_manager

    found = security_manager.find_user(username=name)
    wanted = security_manager.find_role(role)
    if found is None:
        mail = f"{name}@khlang.invalid"
        return security_manager.add_user(name, name.title(), "Khlang", mail, wanted, password=password)
    found.roles = [wanted]
    security_manager.reset_password(found.id, password)
    db.session.commit()
    return found


if __name__ == "__main__":
    main()
