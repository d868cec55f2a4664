"""khlang portal: the facilities' page in the foreground, for production behind a TLS proxy."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command `portal`."""
    app.command("portal")(portal)


def portal() -> None:
    """Serve the facilities' page (sign in, upload, receipts) until stopped; TLS is the proxy's before it."""
    from khlang.portal.serve import serve
    from khlang.settings import load

    serve(load())
