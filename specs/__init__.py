"""The specs that come with optgen, one TOML file per optimizer; installed as `optgen.specs`."""
