"""The vocabulary: rates, expressions, programs, their text form, verifier, interpreter."""
