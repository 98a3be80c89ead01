"""Files for a person: by suffix, whole or not at all, and carrying nothing but what they show."""

from tpanalytics.share.report import save_report, verify_report
from tpanalytics.share.save import save

__all__ = ["save", "save_report", "verify_report"]
