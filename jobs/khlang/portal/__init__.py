"""The facilities' page: sign in, send a zip, see at once what is wrong with it, keep the receipts."""
