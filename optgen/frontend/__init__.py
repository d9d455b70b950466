"""Text in, Program out: reading, checking and lowering a spec."""
