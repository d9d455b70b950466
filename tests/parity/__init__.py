"""How close every mode of every spec comes to what it is compared with.

``python -m tests.parity`` measures it and writes ``docs/parity.md``:

- ``tolerances`` says how close is close enough, and why where it is less than usual;
- ``measuring`` steps generated classes beside the interpreter, references and other libraries;
- ``page`` writes what came out, and reads it back.
"""
