"""Superset, the planners' dashboards: gunicorn on loopback over what infra/superset declares."""

from __future__ import annotations

from khlang.lake.session import environments
from khlang.settings import PROJECT, Settings
from khlang.stack.service import Service, answers
from khlang.stack.surroundings import run_logged, service_environment

DECLARED = PROJECT / "infra" / "superset"
WORKERS, THREADS = 2, 8


def service(settings: Settings) -> Service:
    """The dashboards as a service; provisioning runs before each start and is skipped when nothing changed."""
    port = settings.port("superset")
    return Service(
        name="superset",
        group="superset",
        port=port,
        command=(
            str(environments() / "superset" / "bin" / "gunicorn"),
            f"--bind=127.0.0.1:{port}",
            f"--workers={WORKERS}",
            "--worker-class=gthread",
            f"--threads={THREADS}",
            "--timeout=120",
            "--preload",
            "--no-control-socket",  # it would lie in the account's own folder, outside KHLANG_HOME
            "superset.app:create_app()",
        ),
        healthy=lambda: answers(port, "/login/", 20),  # /health says OK even when pages fail
        folder=settings.root / "superset",
        needs=("database",),
        prepare=lambda: _provision(settings),
        ready=lambda: _provision(settings),
        env=_environment(settings),
        start_seconds=180,
        url=f"http://127.0.0.1:{port}",
    )


def _provision(settings: Settings) -> None:
    """Migrations, roles, users and dashboards, by the script beside the declarations."""
    (settings.root / "superset").mkdir(exist_ok=True)
    log = settings.root / "logs" / "superset-provision.log"
    python = environments() / "superset" / "bin" / "python"
    command = (str(python), str(DECLARED / "provision.py"))
    run_logged(command, _environment(settings), log, "provisioning the dashboards")


def _environment(settings: Settings) -> dict[str, str]:
    return service_environment(settings) | {
        "SUPERSET_CONFIG_PATH": str(DECLARED / "superset_config.py"),
        "SUPERSET_HOME": str(settings.root / "superset"),
        "FLASK_APP": "superset.app:create_app()",
    }
