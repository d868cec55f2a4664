"""What Khlang costs, and what its peers cost on the same work: one command measures and writes it down."""
