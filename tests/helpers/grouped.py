"""Profiles with groups other than job families."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import tpanalytics as tpa

__all__ = ["with_countries", "with_sites"]


def with_countries(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return the profiles with a pay grade and a country for each job: three large, one small, and some without one."""
    number = pl.int_range(pl.len())
    country = (
        pl.when(number < 2)
        .then(pl.lit("LU"))
        .when(number % 9 == 4)
        .then(None)
        .otherwise((number % 3).replace_strict([0, 1, 2], ["BE", "DE", "FR"], return_dtype=pl.String))
    )
    return replace(profiles, jobs=profiles.jobs.sort("job_id").with_columns(country=country, pay_grade=number % 2 + 6))


def with_sites(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return the profiles with people at two sites, at which most jobs are held."""
    jobs = profiles.jobs.sort("job_id").select("job_id", n=pl.int_range(pl.len()))
    sites = [
        jobs.filter(pl.col("n") % modulus > 0).select(
            "job_id", site=pl.lit(site), headcount=pl.col("n") % 5 + 4, fte=(pl.col("n") % 5 + 4).cast(pl.Float64)
        )
        for site, modulus in (("Ghent", 3), ("Lyon", 2))
    ]
    return replace(profiles, people=pl.concat(sites))
