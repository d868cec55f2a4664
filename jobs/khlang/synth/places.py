"""Registers of places and staff: houses, villages, providers."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.draw import one_of
from khlang.synth.words import tables
from khlang.synth.world import World

VILLAGES = 6
"""Villages of a facility; its houses lie in them in turn."""
STAFF_SOULS = 900_000_000
"""Running numbers of staff begin here, so that no citizen id of theirs is a patient's."""


def places(world: World) -> dict[str, pl.DataFrame]:
    """HOME, VILLAGE and PROVIDER of the cluster, all sent with the first month."""
    return {"HOME": homes(world), "VILLAGE": villages(world), "PROVIDER": providers(world)}


def place_of(world: World, facility: pl.Series, house: pl.Series) -> dict[str, pl.Series]:
    """Village, subdistrict, district and province of houses."""
    where = world.facilities.select("province", "ampur", "tambon")[facility]
    village = identity.digits((house.to_numpy() % VILLAGES) + 1, 2)
    return {
        "VILLAGE": village, "TAMBON": where["tambon"], "AMPUR": where["ampur"], "CHANGWAT": where["province"],
    }  # fmt: skip


def house_ids(world: World, facility: pl.Series, house: pl.Series) -> pl.Series:
    """Official house numbers of the province that does not exist."""
    running = (facility.to_numpy() + world.number * 100) * 100_000 + house.to_numpy()
    return identity.register_numbers(running, 11, world.plan.seed)


def house_numbers(house: pl.Series) -> pl.Series:
    """House number in the village: 12/3."""
    return (house // VILLAGES + 1).cast(pl.String) + "/" + (house % 9 + 1).cast(pl.String)


def _somewhere(rng: np.random.Generator, count: int) -> dict[str, pl.Series]:
    """Coordinates anywhere in the country."""
    return {
        "LATITUDE": pl.Series(rng.uniform(6.0, 19.9, count)), "LONGITUDE": pl.Series(rng.uniform(98.0, 104.9, count)),
    }  # fmt: skip


def homes(world: World) -> pl.DataFrame:
    """HOME: one row per house, its head and a village health volunteer of the same facility."""
    rng = world.draws("homes")
    heads = world.people.filter((pl.col("place") == 0) & pl.col("at_home"))
    volunteer = pl.col("pid").first().over("f")
    phone = pl.when("has_phone").then("phone").otherwise(pl.lit(""))
    return heads.select("f", HID="hid", HEADID="pid", VHVID=volunteer, TELEPHONE=phone).with_columns(
        day=pl.lit(world.plan.start), HOUSE_ID=house_ids(world, heads["f"], heads["house"]),
        HOUSE=house_numbers(heads["house"]), ROAD=one_of(rng, tables("names")["places"]["road"], heads.height),
        **_somewhere(rng, heads.height), **place_of(world, heads["f"], heads["house"]),
    )  # fmt: skip


def villages(world: World) -> pl.DataFrame:
    """VILLAGE: six to a facility."""
    count = world.facilities.height
    facility = pl.Series(np.repeat(np.arange(count), VILLAGES))
    where = place_of(world, facility, pl.Series(np.tile(np.arange(VILLAGES), count)))
    code = where["CHANGWAT"] + where["AMPUR"] + where["TAMBON"] + where["VILLAGE"]
    somewhere = _somewhere(world.draws("villages"), len(facility))
    return pl.DataFrame({"f": facility, "VID": code, **somewhere}).with_columns(day=pl.lit(world.plan.start))


def providers(world: World) -> pl.DataFrame:
    """PROVIDER: staff numbered from 001, one in ten a doctor."""
    rng, counts = world.draws("staff"), world.facilities["staff"].to_numpy()
    number = np.concatenate([np.arange(1, count + 1) for count in counts])
    count, words = len(number), tables("names")
    souls = STAFF_SOULS + world.number * 10_000 + np.arange(count)
    sex = 1 + (rng.random(count) < 0.7)
    others = one_of(rng, ["03", "03", "04", "05", "06", "11"], count).to_numpy()
    kind = pl.Series(np.select([number % 10 == 1, number % 7 == 2], ["01", "02"], others))
    council = kind.replace_strict({"01": "01", "02": "04", "11": "03"}, default="02", return_dtype=pl.String)
    family = one_of(rng, words["family_start"], count) + one_of(rng, words["family_middle"], count)
    return pl.DataFrame({
        "f": np.repeat(np.arange(len(counts)), counts), "PROVIDER": identity.digits(number, 3), "SEX": sex,
        "NAME": one_of(rng, words["given_male"], count) + one_of(rng, words["given_end"], count),
        "LNAME": family + "รักษา", "CID": identity.citizen_ids(np.full(count, 3), souls, world.plan.seed),
        "REGISTERNO": "ทส" + identity.digits(identity.scattered(souls, 8, world.plan.seed), 8),
        "COUNCIL": council, "PRENAME": np.where(sex == 1, "003", "004"), "PROVIDERTYPE": kind,
        "BIRTH": np.datetime64("1970-01-01") + rng.integers(0, 10_000, count),
        "STARTDATE": np.datetime64("2015-01-01") + rng.integers(0, 3_500, count),
    }).with_columns(day=pl.lit(world.plan.start))  # fmt: skip
