"""Settings: the environment (KHLANG_*) and one TOML file, read once into one frozen value."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PROJECT = Path(__file__).resolve().parents[2]

OFFSETS = {
    "lake_s3": 0, "lake_master": 1, "lake_volume": 2, "lake_filer": 3, "lake_metrics": 4,
    "landing_s3": 10, "landing_master": 11, "landing_volume": 12, "landing_filer": 13,
    "landing_metrics": 14,
    "database": 20, "airflow": 30, "airflow_worker_log": 31, "airflow_triggerer_log": 32,
    "superset": 40, "front_door": 50, "spark_ui": 60, "spark_driver": 61, "openbao": 70, "openbao_cluster": 71,
}  # fmt: skip
"""Service -> offset from the base port; SeaweedFS adds 10000 for its gRPC ports."""


class Settings(BaseSettings):
    """Every setting of Khlang; the README's table is made from these fields."""

    model_config = SettingsConfigDict(env_prefix="KHLANG_", frozen=True, extra="ignore")

    home: Path = Field(Path(".khlang"), description="folder of all state of the embedded stack")
    base_port: int = Field(
        18700,
        description="first port; every service has a fixed offset from it, the stores also use those 10000 above: "
        "below 22700 they stay clear of the ports that Linux lends to outgoing connections",
    )
    master: str = Field("local[*]", description="Spark master: local[*], spark://..., k8s://...")
    driver_memory: str = Field("2g", description="memory of the Spark driver (and of local executors)")
    jvm_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        description="options of Spark's JVM; the default suits short jobs, set a blank for hours on large tables",
    )
    spark_events: bool = Field(
        False, description="keep Spark's event logs in KHLANG_HOME/spark/events, for profiles"
    )
    database_url: str = Field("", description="SQLAlchemy URL of the ledger; empty: the embedded PostgreSQL")
    lake_endpoint: str = Field(
        "", description="S3 endpoint of bronze, silver, gold; empty: the embedded store"
    )
    landing_endpoint: str = Field(
        "", description="S3 endpoint of inbox and landing; empty: the embedded store"
    )
    lake_access_key: str = Field("", description="S3 access key of the lake; empty: secrets.json")
    lake_secret_key: str = Field("", description="S3 secret key of the lake; empty: secrets.json")
    landing_access_key: str = Field("", description="S3 access key of landing; empty: secrets.json")
    landing_secret_key: str = Field("", description="S3 secret key of landing; empty: secrets.json")
    region: str = Field("us-east-1", description="S3 region name")
    bucket_prefix: str = Field(
        "", description="put before the bucket names inbox, landing, bronze, silver, gold"
    )
    key_store: str = Field(
        "",
        description="file:PATH or openbao:https://keys.example:8200/MOUNT/PATH of the key store; openbao: alone is the "
        "embedded server; empty: file:keys/keys.json in KHLANG_HOME",
    )
    key_store_credentials: str = Field(
        "", description="0600 file by which OpenBao lets in: role_id and secret_id, or token, as JSON"
    )
    key_store_ca: str = Field(
        "", description="PEM file of who signed OpenBao's certificate; empty: the system's own list"
    )
    custody: bool = Field(
        False, description="whether custodians together may have one pseudonym traced back to its person"
    )
    landing_lock_days: int = Field(365, description="object lock of landing, days")
    max_members: int = Field(200, description="zip.bomb: more members than this")
    max_member_bytes: int = Field(16 << 30, description="zip.bomb: one member inflates to more")
    max_total_bytes: int = Field(64 << 30, description="zip.bomb: all members inflate to more")
    max_ratio: int = Field(200, description="zip.bomb: inflated/compressed, past max_ratio_after bytes")
    max_ratio_after: int = Field(16 << 20, description="bytes inflated before the ratio counts")
    max_seconds: float = Field(
        3600.0, description="zip.bomb: reading and inflating a zip takes longer, in seconds"
    )
    closed_days: int = Field(
        180,
        description="zips of a closed facility without a successor are taken for so many days after its last day",
    )
    bundle_bytes: int = Field(64 << 20, description="inflated bytes of members packed into one Spark task")
    small_rows: int = Field(
        1_000_000,
        description="with a local master, batches up to this many rows are worked in the job's own process, "
        "without a JVM; a row that bronze conforms counts as ten; 0: never",
    )
    again: str = Field(
        "",
        description="what this run of bronze reads once more from landing: receipts or HOSPCODE/YYYY-MM, "
        "blanks between; the DAG ingest sets it from its parameter",
    )
    rebuild: Literal["", "outdated", "all"] = Field(
        "",
        description="what this run of bronze makes anew from landing: outdated (loaded under other rules of "
        "de-identification) or all; the DAG ingest sets it from its parameter",
    )
    lock_wait_seconds: int = Field(600, description="how long a job waits for the running one (then: busy)")
    suppress_below: int = Field(8, description="published counts from 1 to this less one are hidden")
    round_to: int = Field(5, description="published counts are rounded to multiples of this")
    text_seconds: float = Field(2.0, description="time limit for one note in the analyzer; past it: withheld")

    front_door_host: str = Field(
        "127.0.0.1", description="address on which the facilities' page listens; TLS is the proxy's before it"
    )
    front_door_tls: bool = Field(
        False, description="the facilities' page stands behind a TLS proxy: its cookie goes over https only"
    )
    upload_max_bytes: int = Field(8 << 30, description="the facilities' page: largest zip")
    upload_open: int = Field(
        5, description="the facilities' page: uploads under way or waiting, per facility"
    )
    upload_days: int = Field(
        3, description="the facilities' page: an unfinished upload is removed after so long"
    )
    upload_checks: int = Field(2, description="the facilities' page: zips that are checked at once")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: arguments, environment, then the TOML file named by KHLANG_CONFIG (default khlang.toml)."""
        toml = TomlConfigSettingsSource(settings_cls, Path(os.environ.get("KHLANG_CONFIG", "khlang.toml")))
        return init_settings, env_settings, toml

    @property
    def root(self) -> Path:
        """KHLANG_HOME as an absolute path; a relative one counts from the project's root."""
        return self.home if self.home.is_absolute() else PROJECT / self.home

    def port(self, service: str) -> int:
        """Port of a service of the embedded stack on 127.0.0.1."""
        return self.base_port + OFFSETS[service]

    def bucket(self, zone: str) -> str:
        """Bucket name of a zone (inbox, landing, bronze, silver, gold)."""
        return f"{self.bucket_prefix}{zone}"


@cache
def load() -> Settings:
    """The settings of this process, read once at the entry."""
    return Settings()  # type: ignore[call-arg]
