"""diskcache without `pickletools`, which it imports for pickles only: `ByteDisk` makes none, and 0.6 MiB are saved."""

import sys
from types import ModuleType

_stands_in = "pickletools" not in sys.modules
if _stands_in:
    sys.modules["pickletools"] = ModuleType("pickletools")
try:
    from diskcache import core as core
finally:
    if _stands_in:
        del sys.modules["pickletools"]
