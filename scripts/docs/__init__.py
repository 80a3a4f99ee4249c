"""The manual and the completions, generated from the commands, the table of keys and the schemas."""
