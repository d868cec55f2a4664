"""The same work as Khlang's, written as teams write it today with one tool: what Khlang is measured against."""
