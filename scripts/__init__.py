"""What the developers of fennec run; nothing of it is installed."""
