"""Which figures are withheld, because too few jobs or people stand behind them, and what else must be for their sake.

A job with one incumbent is personal data, so a cell that tells of fewer than 3 jobs or fewer than 5 people is hidden.
A hidden cell that is the only one can be had back from a total, and two small ones together still tell of few; so the
next smallest goes too, until what is hidden together is itself a cell that may be shown.
"""

from tpanalytics.measures.privacy.behind import jobs_behind
from tpanalytics.measures.privacy.hide import guarded, hidden_families, suppress, suppress_beside
from tpanalytics.measures.privacy.jobs import suppress_jobs
from tpanalytics.measures.privacy.setting import HIDDEN, SUPPRESSED, USUAL, Privacy, check_privacy, said_of_hidden

__all__ = [
    "HIDDEN",
    "SUPPRESSED",
    "USUAL",
    "Privacy",
    "check_privacy",
    "guarded",
    "hidden_families",
    "jobs_behind",
    "said_of_hidden",
    "suppress",
    "suppress_beside",
    "suppress_jobs",
]
