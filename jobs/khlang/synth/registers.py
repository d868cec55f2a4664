"""Registers of people: persons, addresses, rights, women, disabilities, allergies, long illnesses, deaths."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.draw import choose, either, one_of, same, some
from khlang.synth.places import house_ids, house_numbers, place_of
from khlang.synth.words import drugs
from khlang.synth.world import World

Tables = dict[str, pl.DataFrame]
MUSLIM = {"11": 0.12, "12": 0.55}
"""Share of Muslims by health region; elsewhere few."""
WORK = {"6111": 30, "9211": 15, "5221": 15, "9629": 20, "2341": 4, "1110": 2, "": 14}
SCHOOLED = {"02": 0.45, "03": 0.32, "04": 0.08, "05": 0.13, "06": 0.02}
ALLERGENS = ["penicillin", "amoxicillin", "cotrimoxazole", "ibuprofen", "tramadol", "ceftriaxone"]
DISABILITIES = {
    "H540": 0.09,
    "H919": 0.18,
    "G819": 0.5,
    "F200": 0.08,
    "F719": 0.08,
    "F819": 0.03,
    "F840": 0.04,
}
LONG = ("dm", "ht", "E785", "N183", "J449", "J459", "I694", "F209", "M109")
CAUSES = ["I219", "I64", "J189", "C349", "N185", "A419", "R54"]


def registers(world: World) -> Tables:
    """Every register of people, rows dated by the day they came to be known."""
    return {
        "PERSON": persons(world), "ADDRESS": addresses(world), "CARD": cards(world), "WOMEN": women(world),
        "DISABILITY": disabilities(world), "DRUGALLERGY": allergies(world), "CHRONIC": chronic(world),
    }  # fmt: skip


def known(world: World) -> pl.DataFrame:
    """Registrations that begin in the time of the plan, `day` being the day they begin."""
    begun = world.people.filter(pl.col("from_day") <= world.plan.end)
    return begun.with_columns(day=pl.col("from_day").cast(pl.Date))


def persons(world: World) -> pl.DataFrame:
    """PERSON: one row per registration; those who die are sent again by their own facility."""
    frame = _with_lives(world, known(world))
    dead = frame.filter(
        pl.col("dies")
        & pl.col("at_home")
        & (pl.col("to_day") <= world.plan.end)
        & (pl.col("DISCHARGE") == "9")
    )
    left = pl.col("to_day").cast(pl.Date)
    dead = dead.with_columns(day=left, DISCHARGE=pl.lit("1"), DDISCHARGE=left)
    every = pl.concat([frame, dead])
    month = pl.Series(world.plan.month_of(every["day"].to_numpy()))
    once = every.with_columns(month=month).unique(["r", "month"], keep="last", maintain_order=True)
    return once.drop("to_day", "dies", "at_home", "month")


def _with_lives(world: World, people: pl.DataFrame) -> pl.DataFrame:
    """The columns of PERSON: who they are, what they do, whether they moved away."""
    rng, count, age = world.draws("persons"), people.height, people["age"].to_numpy()
    region = world.facilities["health_region"].gather(people["f"]).to_list()
    muslim = rng.random(count) < np.array([MUSLIM.get(number, 0.03) for number in region])
    school = np.select(
        [age < 4, age < 7, age < 13], ["00", "01", "02"], choose(rng, SCHOOLED, count).to_numpy()
    )
    moved = (rng.random(count) < 0.02) & people["at_home"].to_numpy()
    gone = pl.Series(np.datetime64(world.plan.start) - rng.integers(30, 2000, count))
    married = (people["couple_row"] >= 0).to_numpy() & (age > 17)
    alone = np.where(age > 65, "3", one_of(rng, ["1", "1", "1", "4"], count).to_numpy())
    role = np.where(age < 25, "5", choose(rng, {"1": 1, "2": 5, "4": 1, "5": 93}, count).to_numpy())
    return people.select(
        "r", "f", "day", "to_day", "dies", "at_home",
        HID=pl.when("at_home").then("hid").otherwise(pl.lit("")), PRENAME="prename", NAME="name",
        LNAME="lname", HN="hn", SEX="sex", BIRTH="birth", NATION="nation", RACE="nation",
        FATHER="father_cid", MOTHER="mother_cid", COUPLE="couple_cid", TYPEAREA="typearea",
        FSTATUS=pl.when(pl.col("place") == 0).then(pl.lit("1")).otherwise(pl.lit("2")),
        LABOR=pl.when("foreign").then(pl.lit("14")).otherwise(pl.lit("")),
        PASSPORT=pl.when(pl.col("foreign") & (pl.col("cid") == "")).then("passport").otherwise(pl.lit("")),
        MOBILE=pl.when("has_phone").then("phone").otherwise(pl.lit("")),
    ).with_columns(
        RELIGION=either(muslim, "02", "01"), EDUCATION=pl.Series(school), DISCHARGE=either(moved, "2", "9"),
        DDISCHARGE=gone.set(pl.Series(~moved), None).cast(pl.Date), VSTATUS=pl.Series(role),
        MSTATUS=pl.Series(np.where(age < 15, "1", np.where(married, "2", alone))),
        OCCUPATION_NEW=either(age < 15, "", choose(rng, WORK, count)),
    )  # fmt: skip


def addresses(world: World) -> pl.DataFrame:
    """ADDRESS: of people whose house is not one of the facility's own, or who are registered elsewhere."""
    people = known(world).filter(pl.col("at_home").not_() | (pl.col("typearea") == "3"))
    source, house = world.people["f"].gather(people["s"]), people["house"]
    return people.select("r", "f", "day").with_columns(
        ADDRESSTYPE=pl.lit("1"), HOUSE_ID=house_ids(world, source, house), HOUSENO=house_numbers(house),
        **place_of(world, source, house),
    )  # fmt: skip


def cards(world: World) -> pl.DataFrame:
    """CARD: the right to care of each registration."""
    rng, people = world.draws("cards"), known(world)
    begun = np.datetime64(world.plan.start) - rng.integers(60, 2500, people.height)
    start = np.maximum(begun, people["birth"].to_numpy().astype("datetime64[D]"))
    return people.select("r", "f", "day", INSTYPE_NEW="instype", INSID="cid").with_columns(
        STARTDATE=pl.Series(start), SUB=world.codes(people["f"]), MAIN=world.main(people["f"])
    )


def women(world: World) -> pl.DataFrame:
    """WOMEN: married women of 15 to 49 years in the catchment area."""
    rng = world.draws("women")
    fertile = (pl.col("sex") == 2) & pl.col("age").is_between(15, 49)
    wives = known(world).filter(fertile & (pl.col("couple_row") >= 0) & pl.col("at_home"))
    shares = {"1": 0.25, "2": 0.25, "3": 0.04, "4": 0.12, "5": 0.06, "7": 0.1, "9": 0.18}
    method = choose(rng, shares, wives.height)
    children = rng.integers(0, 4, wives.height)
    return wives.select("r", "f", "day").with_columns(
        FPTYPE=method, NOFPCAUSE=either(method == "9", one_of(rng, ["1", "2", "3"], wives.height)),
        TOTALSON=pl.Series(children), NUMBERSON=pl.Series(children),
    )  # fmt: skip


def disabilities(world: World) -> pl.DataFrame:
    """DISABILITY: one or two in a hundred, more of the old."""
    rng, people = world.draws("disabilities"), known(world).filter("at_home")
    found = some(rng, people, np.where(people["age"].to_numpy() > 60, 0.05, 0.01))
    since = np.datetime64(world.plan.start) - rng.integers(100, 4000, found.height)
    since = np.maximum(since, found["birth"].to_numpy().astype("datetime64[D]"))
    code = choose(rng, DISABILITIES, found.height)
    kinds = {code: str(kind) for kind, code in enumerate(DISABILITIES, 1)}
    return found.select("r", "f", "day").with_columns(
        DISABID=identity.register_numbers(found["soul"].to_numpy(), 13, world.plan.seed),
        DATE_DETECT=pl.Series(since), DIAGCODE=code,
        DISABTYPE=code.replace_strict(kinds, return_dtype=pl.String),
    )  # fmt: skip


def allergies(world: World) -> pl.DataFrame:
    """DRUGALLERGY: three in a hundred, antibiotics and pain killers."""
    rng = world.draws("allergies")
    found = some(rng, known(world), 0.03)
    causes = drugs().filter(pl.col("drug").is_in(ALLERGENS))
    cause = causes[rng.integers(0, causes.height, found.height)]
    since = np.datetime64(world.plan.start) - rng.integers(30, 3000, found.height)
    since = np.maximum(since, found["birth"].to_numpy().astype("datetime64[D]"))
    return found.select("r", "f", "day").with_columns(
        DATERECORD=pl.Series(since), DRUGALLERGY=cause["didstd"], DNAME=cause["name_th"],
        INFORMHOSP=world.codes(found["f"]),
    )  # fmt: skip


def chronic(world: World) -> pl.DataFrame:
    """CHRONIC: each long illness of a registration since the day it was found."""
    people, end = known(world), pl.min_horizontal("to_day", pl.lit(world.plan.end))
    frames = []
    for column in LONG:
        ill = people.filter(pl.col(column).is_not_null() & (pl.col(column) <= end))
        code = pl.col(f"{column}_code") if column in ("dm", "ht") else pl.lit(column)
        found = pl.max_horizontal("day", column)
        frames.append(ill.select("r", "f", day=found, DATE_DIAG=column, CHRONIC=code))
    every = pl.concat(frames)
    own = world.codes(every["f"])
    return every.with_columns(HOSP_DX=own, HOSP_RX=own, TYPEDISCH=pl.lit("03"))


def deaths(world: World, stays: pl.DataFrame) -> pl.DataFrame:
    """DEATH: sent by the facility at home, and by the hospital when the person died in a stay there."""
    inside = stays.filter("died").select("s", hospital="f", AN="AN", dx="dx")
    inside = inside.unique("s", keep="first", maintain_order=True)
    dead = known(world).filter(pl.col("dies") & (pl.col("to_day") <= world.plan.end))
    dead = dead.join(inside, on="s", how="left", maintain_order="left")
    here = (pl.col("hospital") == pl.col("f")).fill_null(False)
    dead = dead.with_columns(here=here).filter(pl.col("at_home") | pl.col("here"))
    natural = pl.Series(CAUSES).gather(world.draws("deaths").integers(0, len(CAUSES), world.people.height))
    cause = natural.gather(dead["s"])
    allowed = dead["dx"].str.contains("^[A-R]").fill_null(False)
    cause = either(allowed, dead["dx"], cause)
    return dead.select("r", "f", day=pl.col("to_day").cast(pl.Date)).with_columns(
        DDEATH=pl.col("day"), CDEATH_A=cause, CDEATH=cause, HOSPDEATH=world.codes(dead["hospital"]),
        AN=either(dead["here"], dead["AN"]), PDEATH=either(dead["hospital"].is_not_null(), "1", "2"),
        PREGDEATH=same("", dead.height),
    )  # fmt: skip
