"""Marts that no select makes: one module each, named as its declared file, with one function `rows`."""
