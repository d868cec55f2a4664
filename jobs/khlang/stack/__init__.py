"""The embedded stack: stores, database, Airflow and dashboards on loopback."""
