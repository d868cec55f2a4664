"""Declared files of the ministry: contracts, code lists, faults, policies, marts, indicators, shares."""
