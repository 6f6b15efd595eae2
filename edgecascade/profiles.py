"""Which profile this device runs by, and what it makes of the engine's settings."""
