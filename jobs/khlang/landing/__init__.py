"""Landing: zips as received, sealed and locked, one receipt each."""
