"""The vocabulary of the compiler: rates, expressions, programs, their text form, verifier and interpreter."""
