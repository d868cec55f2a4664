"""The commands of khlang, one file per group."""
