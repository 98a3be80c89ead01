"""A report for people: one offline page, whose every figure can be worked out again."""

from tpanalytics.share.report.page import save_report
from tpanalytics.share.report.verify import verify_report

__all__ = ["save_report", "verify_report"]
