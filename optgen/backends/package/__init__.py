"""The backend of the generated package itself: its ``__init__.py``."""
