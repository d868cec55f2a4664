"""Deliveries of each facility by month -> in time, complete, refused, and the volume against the usual."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from khlang.gold.months import (
    day_number,
    due_day,
    fiscal_year,
    month_of,
    newest,
    number_of,
    shown_from,
)
from khlang.gold.volume import YEAR, portions
from khlang.model.scorecard import scorecard

MONTH = ["hospcode", "number"]
COUNTS = {
    "loaded": "deliveries", "rejected": "deliveries_rejected", "duplicate": "deliveries_duplicate",
    "withdrawn": "deliveries_withdrawn",
}  # fmt: skip
LINES = {
    "delivered": "rows_delivered", "accepted": "rows_accepted", "refused": "rows_refused", "repaired": "rows_repaired",
}  # fmt: skip
Views = Mapping[str, pl.DataFrame]


def rows(views: Views) -> pl.DataFrame:
    """One row for each month of a registered facility in which it served, or for which anything came."""
    came = views["ledger_delivery"].with_columns(number_of("month").alias("number")).drop("month")
    sent = views["ledger_file"].with_columns(number_of("month").alias("number"))
    months = _months(views, came)
    files = pl.concat(_files(months.filter(some), sent.filter(some)) for some in portions(months))
    lines = sent.group_by(MONTH).agg(pl.sum(*LINES))
    province = views["facility"].select("hospcode", pl.col("province").alias("province_code"))
    cards = (
        months.join(came, on=MONTH, how="left").join(lines, on=MONTH, how="left")
        .join(files, on=MONTH, how="left").join(_volumes(views), on=MONTH, how="left")
        .join(province, on="hospcode", how="left")
    )  # fmt: skip
    today = views["ledger_day"]["day"][0]
    return _told(cards.filter(pl.col("number") >= shown_from(views)), today)


def _months(views: Views, came: pl.DataFrame) -> pl.DataFrame:
    """(facility, month) that a card is made for: it served then and was registered or had sent, or something came."""
    known = views["ledger_facility"].join(
        came.group_by("hospcode").agg(pl.min("number").alias("heard")), on="hospcode", how="left"
    )
    last = newest(views["ledger_day"]["day"][0])
    opened, closed = day_number("opened_date"), day_number("closed_date")
    begins = pl.max_horizontal(day_number("registered_date"), opened)
    spans = known.select(
        "hospcode",
        pl.max_horizontal(pl.min_horizontal(begins, "heard"), opened).alias("first"),
        pl.min_horizontal(closed, pl.lit(last)).alias("last"),
    ).filter(pl.col("first") <= pl.col("last"))
    served = spans.select("hospcode", pl.int_ranges("first", pl.col("last") + 1).alias("number")).explode(
        "number"
    )
    also = came.select(MONTH).join(known.select("hospcode"), on="hospcode", how="semi")
    return pl.concat([served.select("hospcode", pl.col("number").cast(pl.Int32)), also]).unique()


def _files(months: pl.DataFrame, sent: pl.DataFrame) -> pl.DataFrame:
    """(facility, month) -> files that came, that usually come, and those of them that are missing.

    Usual: in the declared share of the months of the last year in which the facility sent anything.
    """
    rules = scorecard()
    held = sent.select(*MONTH, "file").unique()
    filled = held.select(MONTH).unique()
    back = pl.DataFrame({"back": range(1, YEAR + 1)}, schema={"back": pl.Int32})
    before = months.join(back, how="cross").with_columns((pl.col("number") - pl.col("back")).alias("past"))
    past = ["hospcode", "past"]
    of_months = (
        before.join(filled, how="semi", left_on=past, right_on=MONTH).group_by(MONTH).agg(pl.len().alias("filled"))
    )  # fmt: skip
    usual = (
        before.join(held, left_on=past, right_on=MONTH).group_by(*MONTH, "file").agg(pl.len().alias("times"))
        .join(of_months, on=MONTH).filter(pl.col("filled") >= rules.usual_months)
        .filter(pl.col("times") >= rules.usual_share * pl.col("filled"))
    )  # fmt: skip
    missing = usual.join(held, on=[*MONTH, "file"], how="anti")
    counted = {"files_expected": usual, "files_missing": missing, "files_delivered": held}
    made = months
    for name, files in counted.items():
        made = made.join(files.group_by(MONTH).agg(pl.len().cast(pl.Int64).alias(name)), on=MONTH, how="left")
    return made


def _volumes(views: Views) -> pl.DataFrame:
    """(facility, month) -> rows of the files of which a volume is expected, and files whose volume jumped."""
    files = views["facility_file_volume"].with_columns(number_of("month").alias("number"))
    known = pl.col("rows_expected").is_not_null()
    return files.group_by(MONTH).agg(
        pl.col("rows").filter(known).sum().alias("rows_judged"),
        pl.when(known.any()).then(pl.col("rows_expected").sum().round(1)).alias("rows_expected"),
        pl.col("is_jump").sum().cast(pl.Int64).alias("files_jumped"),
    )


def _told(cards: pl.DataFrame, today: object) -> pl.DataFrame:
    """The columns of a card; nothing is said of a month that is not due yet or has no history."""
    late = (pl.col("first_arrived_on") - pl.col("due")).dt.total_days().clip(lower_bound=0).cast(pl.Int32)
    arrived, overdue = pl.col("first_arrived_on").is_not_null(), pl.lit(today) > pl.col("due")
    said = pl.col("files_expected").is_not_null() & (arrived | overdue)
    missing = pl.when(said).then(pl.col("files_missing").fill_null(0))
    return cards.with_columns(due_day("number").alias("due")).select(
        "hospcode", "province_code", month_of("number").alias("month"), fiscal_year("number").alias("fiscal_year"),
        *(pl.col(raw).fill_null(0).alias(name) for raw, name in COUNTS.items()),
        "first_arrived_on",
        late.alias("days_late"),
        pl.when(arrived).then(late == 0).when(overdue).then(pl.lit(False)).alias("is_timely"),
        "files_expected",
        pl.col("files_delivered").fill_null(0),
        missing.alias("files_missing"),
        (1 - missing / pl.col("files_expected")).round(4).alias("completeness"),
        *(pl.col(raw).fill_null(0).alias(name) for raw, name in LINES.items()),
        _share("refused", "delivered").alias("refusal_rate"),
        "rows_expected",
        _share("rows_judged", "rows_expected").alias("volume_ratio"),
        pl.col("files_jumped").fill_null(0),
    ).sort("hospcode", "month")  # fmt: skip


def _share(part: str, whole: str) -> pl.Expr:
    """One column by another; null where there is nothing to divide by."""
    return pl.when(pl.col(whole) > 0).then((pl.col(part) / pl.col(whole)).round(4))
