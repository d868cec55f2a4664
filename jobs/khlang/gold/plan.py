"""Declared indicators -> one select that counts all of them at every level."""

from __future__ import annotations

from collections.abc import Iterable

from khlang.model.indicator import COLUMNS, Definition, Indicator

KEY = ("indicator", "level", "area", "fiscal_year", "month")
LEVELS_SQL = """
select c.indicator, a.level, a.area, c.fiscal_year, c.month,
       sum(c.numerator) as numerator, sum(c.denominator) as denominator
from {counted} as c
join facility_area as a on a.hospcode = c.hospcode
group by c.indicator, a.level, a.area, c.fiscal_year, c.month
"""
DISTINCT_LEVELS_SQL = """
select c.indicator, a.level, a.area, c.fiscal_year, c.month,
       sum(c.numerator) as numerator, count(distinct c.unit) as denominator
from {counted} as c
join facility_area as a on a.hospcode = c.hospcode
group by c.indicator, a.level, a.area, c.fiscal_year, c.month
"""
UNION = "\nunion all\n"
SUMMED_SQL = """
select indicator, hospcode, fiscal_year, month,
       sum(cast(numerator as bigint)) as numerator, sum(cast(denominator as bigint)) as denominator
from (
{units}
)
group by indicator, hospcode, fiscal_year, month
"""
SINGLE_SQL = "{units}"
# Heard from: reports visits or discharges of that time. A register or a dose of long ago is no report of its month.
COVERAGE_SQL = """
select a.level, a.area, m.fiscal_year, m.month, count(distinct m.hospcode) as facilities_heard
from (
  select hospcode, fiscal_year, '' as month from facility_month where visits > 0 or discharges > 0
  union
  select hospcode, fiscal_year, month from facility_month where visits > 0 or discharges > 0
) as m
join facility_area as a on a.hospcode = m.hospcode
group by a.level, a.area, m.fiscal_year, m.month
"""
VOLUME = (
    "visits",
    "visit_patients",
    "referrals_out",
    "discharges",
    "lab_results",
    "vaccine_doses",
    "pregnancy_ends",
)
"""Counts of facility_month that may leave gold, by province."""
VOLUME_SQL = f"""
select 'province' as level, province_code as area, fiscal_year, month,
       {", ".join(f"sum({name}) as {name}" for name in VOLUME)}
from facility_month
where province_code is not null
group by province_code, fiscal_year, month
having sum(visits) + sum(discharges) > 0
"""


def counted(indicator: Indicator, definition: Definition) -> str:
    """Units of one definition: facility, period, what is counted."""
    limits = []
    if definition.valid_from:
        limits.append(f"fiscal_year_start(fiscal_year) >= date'{definition.valid_from}'")
    if definition.valid_to:
        limits.append(f"fiscal_year_start(fiscal_year) <= date'{definition.valid_to}'")
    where = f"\nwhere {' and '.join(limits)}" if limits else ""
    columns = ", ".join(COLUMNS)
    return f"select '{indicator.id}' as indicator, {columns} from (\n{definition.sql.strip()}\n){where}"


def exact(chosen: Iterable[Indicator]) -> str:
    """One select for gold.indicator: every indicator, level, area, fiscal year and month."""
    listed = [(one, definition) for one in chosen for definition in one.definitions]
    named, leveled = [], []
    for counting, single, template in (
        ("sum", SUMMED_SQL, LEVELS_SQL),
        ("distinct", SINGLE_SQL, DISTINCT_LEVELS_SQL),
    ):
        parts = [counted(one, definition) for one, definition in listed if one.counting == counting]
        if parts:
            named.append(f"{counting}_units as ({single.format(units=UNION.join(parts))})")
            leveled.append(template.format(counted=f"{counting}_units").strip())
    return f"""
with {", ".join(named)}, leveled as (
{UNION.join(leveled)}
)
select indicator, level, area, fiscal_year, month, numerator, denominator,
       round(cast(numerator as double) / denominator, 6) as value
from leveled
where (denominator > 0 or (denominator is null and numerator > 0))
  and (month <> '' or fiscal_year in (select fiscal_year from computed_year))
"""
