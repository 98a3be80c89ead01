"""Weekly hours and AI impact per job family from task-profile exports.

>>> import tpanalytics as tpa
>>> profiles = tpa.load_sample()
>>> tpa.hours(profiles).height
17
"""

import lazy_loader

from tpanalytics._version import __version__ as __version__

# Public names are listed in __init__.pyi. A module is imported when one of its names is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
