"""Schedules in, text out: one folder per backend, and the printer that they share."""
