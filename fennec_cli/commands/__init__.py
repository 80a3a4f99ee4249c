"""Subcommands: parse, call the core, render."""
