"""Keys: where they are, how they are kept, and how the next one takes over from one that is refused.

`secret` is the type they live in, `places` finds them, `source` hands them out and rotates. What only some of them need
is a module of its own and is imported when it is reached: `command`, `index` (which keys are stored, without values),
`keyring_vault` and `file_vault` (where the values are), `vaults`.
"""

from fennec_cli.keys.places import Sources, has_key, key_variables, place_of
from fennec_cli.keys.secret import Secret, checked, masked_header
from fennec_cli.redactor import MASK

__all__ = ["MASK", "Secret", "Sources", "checked", "has_key", "key_variables", "masked_header", "place_of"]
