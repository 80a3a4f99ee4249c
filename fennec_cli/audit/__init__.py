"""The record of what was asked and answered: a file of JSON lines, each of which carries the hash of the one before."""
