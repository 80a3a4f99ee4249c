"""The only writers to standard output and standard error."""
