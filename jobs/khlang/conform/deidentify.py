"""Typed columns -> columns that may leave the door: one declared action per privacy class."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Protocol

import polars as pl

from khlang.conform.context import Context
from khlang.conform.faultlog import KEY_VOID
from khlang.model.contract import Column, Contract


class Act(Protocol):
    """The form of an action: a column's values in, what may stay of them out."""

    def __call__(self, column: Column, values: pl.Series, context: Context) -> pl.Series:
        """Values that may leave the door."""


@cache
def _action(name: str) -> Act:
    """The action of that name: the file conform/actions/<name>.py."""
    act: Act = import_module(f"khlang.conform.actions.{name}").apply
    return act


def deidentify(contract: Contract, context: Context) -> dict[str, pl.Series]:
    """Wire name -> de-identified values, for every current column of the contract.

    A key that an action blanks is noted. Raises PrivacyError before any value is looked at when a class or a
    key domain has no rule.
    """
    chosen = [(column, _action(context.policy.action(column))) for column in contract.current]
    left = {column.name: act(column, context.frame[column.name], context) for column, act in chosen}
    for name in contract.key:
        lost = left[name].is_null() & context.frame[name].is_not_null()
        context.log.add(lost, name, KEY_VOID)  # a key that lost a value here keeps its row out of silver
    return left
