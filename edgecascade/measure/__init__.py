"""This device, measured: its own profile."""
