"""Files for a person: by suffix, whole or not at all, and carrying nothing but what they show."""

from tpanalytics.share.check import check_share
from tpanalytics.share.clean import clean_notebook
from tpanalytics.share.notebook import run_notebook
from tpanalytics.share.report.page import save_report
from tpanalytics.share.report.verify import verify_report
from tpanalytics.share.write import save

__all__ = ["check_share", "clean_notebook", "run_notebook", "save", "save_report", "verify_report"]
