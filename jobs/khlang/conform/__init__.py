"""Bytes of members -> de-identified typed columns, with every broken rule named."""
