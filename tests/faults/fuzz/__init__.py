"""Zips and members broken in every way a dice can think of, and a judge who asks what must hold all the same."""
