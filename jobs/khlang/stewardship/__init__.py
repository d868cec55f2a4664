"""What is done to the whole lake and not to one batch: rights of persons carried out, keys carried on."""
