"""Write an HTML page with all charts of several companies: `python -m tests.gallery`."""

from __future__ import annotations

import argparse
import html
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import vl_convert

import tpanalytics as tpa
from tests.conftest import REAL, read_real
from tests.helpers.companies import many
from tests.helpers.plots import PLOTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Charts of tpanalytics</title>
<style>
body {{ font: 15px/1.5 "Liberation Sans", Arial, sans-serif; margin: 2rem; color: #1B1B1F; background: #F4F4F5 }}
figure {{ margin: 0 0 2rem; padding: 1rem; background: #fff; border: 1px solid #DDD; overflow-x: auto }}
figcaption {{ color: #5A5A60; margin-bottom: .5rem }}
details {{ white-space: pre-line; color: #5A5A60; max-width: 60rem }}
</style>
</head>
<body>
<h1>Charts of tpanalytics</h1>
{body}
</body>
</html>
"""


def companies() -> dict[str, Callable[[], tpa.TaskProfiles]]:
    """Return functions that load the companies, by name."""
    result: dict[str, Callable[[], tpa.TaskProfiles]] = {"sample": tpa.load_sample}
    if REAL.is_dir():
        result["1,016 real occupations"] = read_real
    for families in (6, 23, 60):
        result[f"{families} families with awkward names"] = lambda families=families: many(families)  # type: ignore[misc]
    return result


def figures(only: list[str]) -> Iterator[str]:
    """Yield the HTML of each chart of each company."""
    loaded = {name: load() for name, load in companies().items()}
    for plot, draw in PLOTS.items():
        if only and plot not in only:
            continue
        yield f"<h2>{html.escape(plot)}</h2>"
        for company, profiles in loaded.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)
                try:
                    spec = draw(profiles).to_dict()
                except tpa.TpAnalyticsError as error:
                    yield f"<p>{html.escape(company)}: {html.escape(str(error))}</p>"
                    continue
            yield (
                f"<figure><figcaption>{html.escape(company)}</figcaption>{vl_convert.vegalite_to_svg(spec)}"
                f"<details><summary>Description</summary>{html.escape(spec['description'])}</details></figure>"
            )


def main() -> None:
    """Write the page and print its path."""
    parser = argparse.ArgumentParser(prog="python -m tests.gallery", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gallery.html"), help="output file (default: %(default)s)")
    parser.add_argument("--only", action="append", default=[], choices=PLOTS, help="chart to include (repeatable)")
    arguments = parser.parse_args()
    arguments.out.write_text(_PAGE.format(body="\n".join(figures(arguments.only))), encoding="utf-8")
    print(arguments.out.resolve())


if __name__ == "__main__":
    main()
