"""Airflow in four units (api server, scheduler, DAG processor, triggerer) on loopback, LocalExecutor."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from khlang.lake.secrets import Secrets
from khlang.lake.session import environments
from khlang.settings import PROJECT, Settings
from khlang.stack.airflow_api import AirflowApi
from khlang.stack.process import record_of
from khlang.stack.roles import administrator
from khlang.stack.service import Service, nothing
from khlang.stack.surroundings import once, run_logged, service_environment, write_private

POOLS = PROJECT / "infra" / "airflow" / "pools.json"
HEARTBEAT_SECONDS = 30
_POOL = (
    "insert into slot_pool (pool, slots, description, include_deferred) "
    "values (%(pool)s, %(slots)s, %(description)s, %(include_deferred)s) on conflict (pool) do update "
    "set slots = excluded.slots, description = excluded.description, include_deferred = excluded.include_deferred"
)

UNITS = {
    "airflow-scheduler": (("scheduler", "--skip-serve-logs"), "SchedulerJob"),
    "airflow-dag-processor": (("dag-processor",), "DagProcessorJob"),
    "airflow-triggerer": (("triggerer", "--skip-serve-logs"), "TriggererJob"),
}
"""Unit -> its command (log servers would bind to every address: the api server reads the files), its job."""


def services(settings: Settings) -> tuple[Service, ...]:
    """The four units; the first that starts migrates Airflow's database."""
    prepare = once(lambda: _prepare(settings))
    port = str(settings.port("airflow"))
    api = _unit(
        settings,
        "airflow-api",
        ("api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1"),
        prepare,
        lambda: AirflowApi(settings).answers(),
        lambda: set_pools(settings),
    )
    others = [
        _unit(settings, name, command, prepare, lambda name=name, job=job: _beats(settings, name, job))  # type: ignore[misc]
        for name, (command, job) in UNITS.items()
    ]
    return (api, *others)


def _unit(
    settings: Settings,
    name: str,
    command: tuple[str, ...],
    prepare: Callable[[], None],
    healthy: Callable[[], bool],
    ready: Callable[[], None] = nothing,
) -> Service:
    return Service(
        name=name,
        group="airflow",
        port=settings.port("airflow") if name == "airflow-api" else 0,
        command=(str(_binary()), *command),
        healthy=healthy,
        folder=_home(settings),
        needs=("keys", "database"),
        prepare=prepare,
        ready=ready,
        env=_environment(settings),
        start_seconds=240,
        url=f"http://127.0.0.1:{settings.port('airflow')}" if name == "airflow-api" else "",
    )


def _beats(settings: Settings, name: str, job: str) -> bool:
    """Has the job of this very process sent a heartbeat lately?"""
    record = record_of(settings.root / "run", name)
    query = (
        "select 1 from job where job_type = %s and start_date >= to_timestamp(%s) "
        "and latest_heartbeat > now() - make_interval(secs => %s)"
    )
    with contextlib.suppress(Exception), administrator(settings, "airflow") as connection:
        started = record.started - 5 if record else 0
        return connection.execute(query, [job, started, HEARTBEAT_SECONDS]).fetchone() is not None
    return False


def _prepare(settings: Settings) -> None:
    _home(settings).mkdir(parents=True, exist_ok=True)
    write_private(_home(settings) / "airflow.cfg", _configuration(settings))
    passwords = {"admin": Secrets.open(settings).airflow_admin_password}
    write_private(_home(settings) / "passwords.json", json.dumps(passwords))
    _migrate(settings)
    set_pools(settings)


def set_pools(settings: Settings) -> None:
    """Make the declared pools, or give them their declared size: before any scheduler looks for them.

    Straight into the database: the REST interface comes up beside the scheduler, too late for its first look.
    """
    with administrator(settings, "airflow") as connection:
        for name, pool in json.loads(POOLS.read_text()).items():
            connection.execute(_POOL, {"pool": name, **pool})


def _migrate(settings: Settings) -> None:
    """`airflow db migrate`, unless this version has done it to this database."""
    stamp = _home(settings) / "migrated"
    done = _schema_version(settings)
    if done and stamp.exists() and stamp.read_text() == done:
        return
    log = settings.root / "logs" / "airflow-migrate.log"
    run_logged((str(_binary()), "db", "migrate"), _environment(settings), log, "airflow db migrate")
    stamp.write_text(_schema_version(settings))


def _schema_version(settings: Settings) -> str:
    """This Airflow, and the revision that its database has; empty when there is none."""
    with contextlib.suppress(Exception), administrator(settings, "airflow") as connection:
        row = connection.execute("select version_num from alembic_version").fetchone()
        return f"{_installed()} {row[0]}" if row else ""
    return ""


def _installed() -> str:
    found = (environments() / "airflow" / "lib").glob("python*/site-packages/apache_airflow_core-*.dist-info")
    return next((path.name for path in found), "")


def _binary() -> Path:
    return environments() / "airflow" / "bin" / "airflow"


def _home(settings: Settings) -> Path:
    return settings.root / "airflow"


def _environment(settings: Settings) -> dict[str, str]:
    return service_environment(settings) | {
        "AIRFLOW_HOME": str(_home(settings)),
        "PATH": f"{_binary().parent}:/usr/local/bin:/usr/bin:/bin",
    }


def _configuration(settings: Settings) -> str:
    """airflow.cfg, 0600: secrets stand in this file and not in the environment that tasks inherit."""
    sections = _public(settings)
    for section, values in _secret(settings).items():
        sections.setdefault(section, {}).update(values)
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in values.items()), ""]
    return "\n".join(lines)


def _secret(settings: Settings) -> dict[str, dict[str, str]]:
    secrets = Secrets.open(settings)
    database = f"127.0.0.1:{settings.port('database')}/airflow"
    return {
        "core": {"fernet_key": secrets.airflow_fernet_key},
        "database": {
            "sql_alchemy_conn": f"postgresql+psycopg2://airflow:{secrets.airflow_db_password}@{database}"
        },
        "api": {"secret_key": secrets.airflow_secret_key},
        "api_auth": {"jwt_secret": secrets.airflow_jwt_secret},
    }


def _public(settings: Settings) -> dict[str, dict[str, str]]:
    address = f"http://127.0.0.1:{settings.port('airflow')}"
    home = _home(settings)
    silent = [{"scope": {}, "controls": {"include_source_code": False}}]
    lineage = {"type": "file", "log_file_path": str(settings.root / "logs" / "lineage.jsonl"), "append": True}
    return {
        "core": {
            "dags_folder": str(PROJECT / "dags"),
            "executor": "LocalExecutor",
            "parallelism": "8",
            "load_examples": "False",
            "dags_are_paused_at_creation": "False",
            "execution_api_server_url": f"{address}/execution/",
            "simple_auth_manager_users": "admin:admin",
            "simple_auth_manager_passwords_file": str(home / "passwords.json"),
            "hostname_callable": "socket.gethostname",
            "default_timezone": "Asia/Bangkok",
        },
        "api": {
            "base_url": address,
            "host": "127.0.0.1",
            "expose_config": "False",
            "expose_stacktrace": "False",
        },
        "logging": {"base_log_folder": str(home / "logs")},
        "dag_processor": {
            "parsing_processes": "1",
            "refresh_interval": "30",
            "min_file_process_interval": "60",
        },
        "scheduler": {"catchup_by_default": "False", "enable_health_check": "False"},
        "usage_data_collection": {"enabled": "False"},
        "openlineage": {
            "transport": json.dumps(lineage),
            "emission_policy": json.dumps(silent),
            "namespace": "khlang",
        },
    }
