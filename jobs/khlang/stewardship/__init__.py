"""What is done to the whole lake and not to one batch: keys carried to a new version."""
