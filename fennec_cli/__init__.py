"""fennec: prompts in on stdin, answers out on stdout, through any language-model provider."""

__version__ = "0.1.0"
