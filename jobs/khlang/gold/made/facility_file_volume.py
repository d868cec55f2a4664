"""Rows of each file that facilities sent for a month -> what their own history expects, and where it jumps."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from khlang.gold.months import fiscal_year, month_of, number_of, shown_from
from khlang.gold.volume import volumes
from khlang.model.scorecard import scorecard


def rows(views: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row for each file, in each month in which its facility sent anything, from the file's first month on."""
    sent = views["ledger_file"].filter(pl.col("rows").is_not_null())
    counted = sent.select("hospcode", "file", number_of("month").alias("number"), "rows")
    judged = volumes(counted, scorecard().volume).filter(pl.col("number") >= shown_from(views))
    province = views["facility"].select("hospcode", pl.col("province").alias("province_code"))
    return judged.join(province, on="hospcode", how="left").select(
        "hospcode", "province_code", "file", month_of("number").alias("month"),
        fiscal_year("number").alias("fiscal_year"), "rows",
        pl.col("expected").round(1).alias("rows_expected"), pl.col("low").round(1).alias("rows_low"),
        pl.col("high").round(1).alias("rows_high"), "history_months", "is_jump",
    ).sort("hospcode", "month", "file")  # fmt: skip
