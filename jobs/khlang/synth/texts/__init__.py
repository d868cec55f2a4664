"""Invented notes full of marked identifiers -> how many of them the text step finds, and what it takes besides."""
