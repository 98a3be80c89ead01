"""Load task-profile exports into Polars; see weekly hours and AI impact per job family, and what is not known.

>>> import tpanalytics as tpa
>>> profiles = tpa.load_sample()
>>> tpa.hours_by_family(profiles).height
17
"""

import lazy_loader

from tpanalytics._version import __version__ as __version__

# The stub next to this file lists every public name once; a module is loaded when one of its names is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
