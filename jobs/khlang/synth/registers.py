"""Registers: persons, addresses, rights, houses, villages, staff, women, disabilities, allergies, long illnesses."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.words import drugs, rows, tables
from khlang.synth.world import World

Tables = dict[str, pl.DataFrame]
RELIGION = {"11": 0.12, "12": 0.55}
"""Share of Muslims by health region; elsewhere few."""


def registers(world: World) -> Tables:
    """Every register of the cluster, rows dated by the day they came to be known."""
    return {
        "PERSON": persons(world), "ADDRESS": addresses(world), "CARD": cards(world), "HOME": homes(world),
        "VILLAGE": villages(world), "PROVIDER": providers(world), "WOMEN": women(world),
        "DISABILITY": disabilities(world), "DRUGALLERGY": allergies(world), "CHRONIC": chronic(world),
        "DEATH": deaths(world),
    }  # fmt: skip


def known(world: World) -> pl.DataFrame:
    """Registrations that begin in the time of the plan, `day` being the day they begin."""
    return world.people.filter(pl.col("from_day") <= world.plan.end).with_columns(day=pl.col("from_day").cast(pl.Date))


def persons(world: World) -> pl.DataFrame:
    """PERSON: one row per registration; the dead are sent again when they are discharged."""
    rng, people = world.draws("persons"), known(world)
    count = people.height
    region = world.facilities["health_region"].gather(people["f"]).to_list()
    muslim = rng.random(count) < np.array([RELIGION.get(number, 0.03) for number in region])
    age = people["age"].to_numpy()
    schooled = rng.choice(["02", "03", "04", "05", "06"], count, p=[0.45, 0.32, 0.08, 0.13, 0.02])
    education = np.where(age < 4, "00", np.where(age < 7, "01", np.where(age < 13, "02", schooled)))
    moved = (rng.random(count) < 0.02) & people["at_home"].to_numpy()
    gone = np.datetime64(world.plan.start) - rng.integers(30, 2000, count)
    frame = people.select(
        "r", "f", "day", "to_day", "dies", HID=pl.when("at_home").then("hid").otherwise(pl.lit("")), PRENAME="prename", NAME="name",
        LNAME="lname", HN="hn", SEX="sex", BIRTH="birth", NATION="nation", RACE="nation",
        FATHER="father_cid", MOTHER="mother_cid", COUPLE="couple_cid", TYPEAREA="typearea",
        FSTATUS=pl.when(pl.col("place") == 0).then(pl.lit("1")).otherwise(pl.lit("2")),
        LABOR=pl.when("foreign").then(pl.lit("14")).otherwise(pl.lit("")),
        PASSPORT=pl.when(pl.col("foreign") & (pl.col("cid") == "")).then("passport").otherwise(pl.lit("")),
        MOBILE=pl.when("has_phone").then("phone").otherwise(pl.lit("")),
    ).with_columns(
        RELIGION=pl.Series(np.where(muslim, "02", "01")), EDUCATION=pl.Series(education),
        DISCHARGE=pl.Series(np.where(moved, "2", "9")), DDISCHARGE=pl.Series(gone).set(pl.Series(~moved), None).cast(pl.Date),
    )  # fmt: skip
    dead = frame.filter(pl.col("dies") & (pl.col("to_day") <= world.plan.end) & (pl.col("DISCHARGE") == "9"))
    dead = dead.with_columns(day=pl.col("to_day").cast(pl.Date), DISCHARGE=pl.lit("1"), DDISCHARGE=pl.col("to_day").cast(pl.Date))
    every = pl.concat([frame, dead])
    month = pl.Series(world.plan.month_of(every["day"].to_numpy()))
    return every.with_columns(month=month).unique(["r", "month"], keep="last", maintain_order=True).drop("to_day", "dies", "month")


def _place(world: World, facility: pl.Series, house: pl.Series) -> dict[str, pl.Series]:
    """Village, subdistrict, district and province of houses: six villages to a facility."""
    where = world.facilities.select("province", "ampur", "tambon")[facility]
    village = identity.digits((house.to_numpy() % 6) + 1, 2)
    return {"VILLAGE": village, "TAMBON": where["tambon"], "AMPUR": where["ampur"], "CHANGWAT": where["province"]}


def addresses(world: World) -> pl.DataFrame:
    """ADDRESS: of people whose house is not one of the facility's own."""
    people = known(world).filter((pl.col("at_home").not_()) | pl.col("typearea").is_in(["3"]))
    source = world.people["f"].gather(people["s"])
    house = people["house"]
    return pl.DataFrame({
        "r": people["r"], "f": people["f"], "day": people["day"], "ADDRESSTYPE": pl.repeat("1", len(house), dtype=pl.String, eager=True),
        "HOUSE_ID": _house_ids(world, source, house), "HOUSENO": _house_numbers(house),
        **_place(world, source, house),
    })  # fmt: skip


def _house_ids(world: World, facility: pl.Series, house: pl.Series) -> pl.Series:
    """Official house numbers of the province that does not exist."""
    running = (facility.to_numpy() + world.number * 100) * 100_000 + house.to_numpy()
    return identity.register_numbers(running, 11, world.plan.seed)


def _house_numbers(house: pl.Series) -> pl.Series:
    """House number in the village: 12/3."""
    return (house // 6 + 1).cast(pl.String) + "/" + (house % 9 + 1).cast(pl.String)


def cards(world: World) -> pl.DataFrame:
    """CARD: the right to care of each registration."""
    rng, people = world.draws("cards"), known(world)
    begun = np.datetime64(world.plan.start) - rng.integers(60, 2500, people.height)
    main = world.codes(world.facilities["above"].gather(people["f"]))
    own = world.codes(people["f"])
    start = np.maximum(begun, people["birth"].to_numpy().astype("datetime64[D]"))
    return people.select("r", "f", "day", INSTYPE_NEW="instype", INSID=pl.when(pl.col("cid") != "").then("cid_true").otherwise(pl.lit(""))).with_columns(
        STARTDATE=pl.Series(start), SUB=own, MAIN=pl.select(pl.when(main == "").then(own).otherwise(main)).to_series(),
    )  # fmt: skip


def homes(world: World) -> pl.DataFrame:
    """HOME: one row per house, its head and a village health volunteer of the same facility."""
    rng = world.draws("homes")
    heads = world.people.filter((pl.col("place") == 0) & pl.col("at_home"))
    house, count = heads["house"], heads.height
    volunteers = heads.group_by("f", maintain_order=True).agg(vhv=pl.col("pid").first())
    place = tables("names")["places"]
    return heads.select("f", HID="hid", HEADID="pid", TELEPHONE=pl.when("has_phone").then("phone").otherwise(pl.lit(""))).with_columns(
        day=pl.lit(world.plan.start), HOUSE_ID=_house_ids(world, heads["f"], house), HOUSE=_house_numbers(house),
        ROAD=pl.Series(place["road"]).gather(rng.integers(0, len(place["road"]), count)),
        VHVID=heads.select("f").join(volunteers, on="f", how="left", maintain_order="left")["vhv"],
        LATITUDE=pl.Series(rng.uniform(6.0, 19.9, count)), LONGITUDE=pl.Series(rng.uniform(98.0, 104.9, count)),
        **_place(world, heads["f"], house),
    )  # fmt: skip


def villages(world: World) -> pl.DataFrame:
    """VILLAGE: six to a facility."""
    rng = world.draws("villages")
    facility = pl.Series(np.repeat(np.arange(world.facilities.height), 6))
    where = _place(world, facility, pl.Series(np.tile(np.arange(6), world.facilities.height)))
    count = len(facility)
    return pl.DataFrame({
        "f": facility, "VID": where["CHANGWAT"] + where["AMPUR"] + where["TAMBON"] + where["VILLAGE"],
        "LATITUDE": pl.Series(rng.uniform(6.0, 19.9, count)), "LONGITUDE": pl.Series(rng.uniform(98.0, 104.9, count)),
    }).with_columns(day=pl.lit(world.plan.start))  # fmt: skip


def providers(world: World) -> pl.DataFrame:
    """PROVIDER: staff numbered from 001, one in ten a doctor."""
    rng, counts = world.draws("staff"), world.facilities["staff"].to_numpy()
    facility = np.repeat(np.arange(len(counts)), counts)
    number = np.concatenate([np.arange(1, count + 1) for count in counts])
    count, words, offset = len(number), tables("names"), 900_000_000 + world.number * 10_000
    sex = 1 + (rng.random(count) < 0.7)
    given = pl.Series(words["given_male"]).gather(rng.integers(0, 16, count)) + pl.Series(words["given_end"]).gather(rng.integers(0, 16, count))
    family = pl.Series(words["family_start"]).gather(rng.integers(0, 6, count)) + pl.Series(words["family_middle"]).gather(rng.integers(0, 24, count))
    kind = np.where(number % 10 == 1, "01", np.where(number % 7 == 2, "02", rng.choice(["03", "04", "05", "06", "11"], count)))
    return pl.DataFrame({
        "f": facility, "PROVIDER": identity.digits(number, 3), "SEX": sex, "NAME": given, "LNAME": family + "รักษา",
        "CID": identity.citizen_ids(np.full(count, 3), offset + np.arange(count), world.plan.seed),
        "REGISTERNO": "ทส" + identity.digits(identity.scattered(offset + np.arange(count), 8, world.plan.seed), 8),
        "COUNCIL": pl.Series(np.where(kind == "01", "01", np.where(kind == "02", "04", np.where(kind == "11", "03", "02")))),
        "PRENAME": np.where(sex == 1, "003", "004"), "PROVIDERTYPE": kind,
        "BIRTH": np.datetime64("1970-01-01") + rng.integers(0, 10_000, count),
        "STARTDATE": np.datetime64("2015-01-01") + rng.integers(0, 3_500, count),
    }).with_columns(day=pl.lit(world.plan.start))  # fmt: skip


def women(world: World) -> pl.DataFrame:
    """WOMEN: married women of 15 to 49 years in the catchment area."""
    rng = world.draws("women")
    wives = known(world).filter(
        (pl.col("sex") == 2) & pl.col("age").is_between(15, 49) & (pl.col("place") < 2) & (pl.col("size") > 1) & pl.col("at_home")
    )
    method = rng.choice(["1", "2", "3", "4", "5", "7", "9"], wives.height, p=[0.25, 0.25, 0.04, 0.12, 0.06, 0.1, 0.18])
    cause = np.where(method == "9", rng.choice(["1", "2", "3"], wives.height), "")
    return wives.select("r", "f", "day").with_columns(FPTYPE=pl.Series(method), NOFPCAUSE=pl.Series(cause))


def disabilities(world: World) -> pl.DataFrame:
    """DISABILITY: two in a hundred, more of the old."""
    rng, people = world.draws("disabilities"), known(world).filter("at_home")
    share = np.where(people["age"].to_numpy() > 60, 0.05, 0.01)
    some = people.filter(pl.Series(rng.random(people.height) < share))
    found = np.datetime64(world.plan.start) - rng.integers(100, 4000, some.height)
    found = np.maximum(found, some["birth"].to_numpy().astype("datetime64[D]"))
    code = pl.Series(["H540", "H919", "G819", "F200", "F719", "F819", "F840"])
    kind = rng.choice(7, some.height, p=[0.09, 0.18, 0.5, 0.08, 0.08, 0.03, 0.04])
    return some.select("r", "f", "day").with_columns(
        DISABID=identity.register_numbers(some["soul"].to_numpy(), 13, world.plan.seed), DATE_DETECT=pl.Series(found),
        DISABTYPE=pl.Series(kind + 1), DIAGCODE=code.gather(kind),
    )  # fmt: skip


def allergies(world: World) -> pl.DataFrame:
    """DRUGALLERGY: three in a hundred, antibiotics and pain killers."""
    rng, people = world.draws("allergies"), known(world)
    some = people.filter(pl.Series(rng.random(people.height) < 0.03))
    causes = drugs().filter(pl.col("drug").is_in(["penicillin", "amoxicillin", "cotrimoxazole", "ibuprofen", "tramadol", "ceftriaxone"]))
    cause = causes[rng.integers(0, causes.height, some.height)]
    since = np.datetime64(world.plan.start) - rng.integers(30, 3000, some.height)
    return some.select("r", "f", "day").with_columns(
        DATERECORD=pl.Series(np.maximum(since, some["birth"].to_numpy().astype("datetime64[D]"))),
        DRUGALLERGY=cause["didstd"], DNAME=cause["name_th"], INFORMHOSP=world.codes(some["f"]),
    )  # fmt: skip


LONG = {"dm": "E119", "ht": "I10"}


def chronic(world: World) -> pl.DataFrame:
    """CHRONIC: each long illness of a registration since the day it was found."""
    people, plan = known(world), world.plan
    frames = []
    for column in ("dm", "ht", "E785", "N183", "J449", "J459", "I694", "F209", "M109"):
        ill = people.filter(pl.col(column).is_not_null() & (pl.col(column) <= pl.min_horizontal("to_day", pl.lit(plan.end))))
        frames.append(ill.select(
            "r", "f", day=pl.max_horizontal("day", column), DATE_DIAG=column, CHRONIC=pl.lit(LONG.get(column, column)),
        ))  # fmt: skip
    found = pl.concat(frames)
    own = world.codes(found["f"])
    return found.with_columns(HOSP_DX=own, HOSP_RX=own, TYPEDISCH=pl.lit("03"))


def deaths(world: World) -> pl.DataFrame:
    """DEATH: at home or in the facility, of the old mostly."""
    rng = world.draws("deaths")
    dead = known(world).filter(pl.col("dies") & (pl.col("to_day") <= world.plan.end))
    cause = pl.Series(["I219", "I64", "J189", "C349", "N185", "A419", "R54"]).gather(rng.integers(0, 7, dead.height))
    inside = rng.random(dead.height) < 0.4
    return dead.select("r", "f", day="to_day", DDEATH="to_day").with_columns(
        pl.col("day", "DDEATH").cast(pl.Date), CDEATH_A=cause, CDEATH=cause, PDEATH=pl.Series(np.where(inside, "1", "2")),
        HOSPDEATH=pl.select(pl.when(pl.Series(inside)).then(world.codes(dead["f"])).otherwise(pl.lit(""))).to_series(),
    )  # fmt: skip


def drug_rows() -> tuple[dict[str, str], ...]:
    """The declared drugs."""
    return rows("drugs")
