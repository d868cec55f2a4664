"""Invented extracts, coherent and obviously fake, made from the contracts."""
