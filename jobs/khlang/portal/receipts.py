"""Receipts of the facility's own deliveries: as a page, as a file to print, as JSON; of others there are none."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from khlang.lake.ledger import Delivery
from khlang.model.receipt import Receipt
from khlang.portal.guard import signed_in, token
from khlang.portal.pages import missing, name_of, render, with_first_look
from khlang.receipts.lake import receipt_of
from khlang.receipts.page import receipt_page, shown
from khlang.receipts.view import Heading, View, view_of


@signed_in
async def receipt(request: Request, hospcode: str) -> Response:
    """The receipt of an own delivery."""
    found = await run_in_threadpool(_look, request, hospcode)
    if found is None:
        return await missing(request)
    view, heading, first = found
    given = shown(view, heading)
    return render(request, "receipt.html", facility=hospcode, token=token(request), first=first, **given)


@signed_in
async def as_page(request: Request, hospcode: str) -> Response:
    """The same as one file, to print or to keep."""
    found = await run_in_threadpool(_look, request, hospcode)
    if found is None:
        return await missing(request)
    view, heading, _ = found
    return HTMLResponse(receipt_page(view, heading), headers=_attached(heading.number, "html"))


@signed_in
async def as_json(request: Request, hospcode: str) -> Response:
    """The receipt for machines, as `khlang receipt --json` prints it."""
    told = await run_in_threadpool(_told, request, hospcode)
    if told is None:
        return await missing(request)
    delivery, found = told

    def _text() -> Iterator[str]:
        yield from found.json_text()
        yield "\n"

    headers = _attached(delivery.receipt, "json")
    return StreamingResponse(_text(), media_type="application/json", headers=headers)


def _attached(number: str, kind: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{number}.{kind}"'}


def _told(request: Request, hospcode: str) -> tuple[Delivery, Receipt] | None:
    """A delivery and its receipt, if it is the facility's own; every address of a receipt asks here."""
    state = request.app.state
    delivery = state.ledger.own_delivery(hospcode, request.path_params["number"])
    if delivery is None:
        return None
    members = state.ledger.members([delivery.receipt])
    return delivery, receipt_of(state.settings, delivery, members)


def _look(request: Request, hospcode: str) -> tuple[View, Heading, bool] | None:
    """A receipt in few lines, its heading, and whether it is the check on arrival that speaks."""
    told = _told(request, hospcode)
    if told is None:
        return None
    delivery, found = told
    state = request.app.state
    heading = Heading(
        delivery.receipt, name_of(state.ledger, delivery.hospcode or hospcode), delivery.arrived_at
    )
    loaded = view_of(found)
    view = with_first_look(loaded, state.uploads.of(hospcode), delivery.receipt)
    return view, heading, view is not loaded
