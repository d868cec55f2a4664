"""Named failures: a code, a sentence in Thai and English, a place, a next step, a fixed exit code."""

from __future__ import annotations


class KhlangError(Exception):
    """A failure that says what is wrong, where, and what to do; never a value of a patient.

    Attributes: `code` (stable, dotted), `exit_code` (fixed per class, documented in the README),
    `usual_step` (what to do when the failure itself names nothing better).
    """

    exit_code = 1
    usual_step = "docs/runbooks/README.md; tell the engineers this code and place"

    def __init__(self, code: str, en: str, th: str = "", place: str = "", next_step: str = "") -> None:
        """Keep the parts; the message is `code: en (place) -> next_step`."""
        self.code, self.en, self.th, self.place, self.next_step = code, en, th, place, next_step
        where = f" [{place}]" if place else ""
        then = f" -> {next_step}" if next_step else ""
        super().__init__(f"{code}: {en}{where}{then}")

    def __reduce__(self) -> tuple[type[KhlangError], tuple[str, ...]]:
        """Its parts: a worker process hands a failure over whole."""
        return type(self), (self.code, self.en, self.th, self.place, self.next_step)


class SettingsError(KhlangError):
    """A setting, or what a command was asked for, is missing or wrong."""

    exit_code = 2
    usual_step = "`khlang COMMAND --help`, and the table of settings in README.md"


class CatalogError(KhlangError):
    """A declared file of the catalog contradicts itself or the code."""

    exit_code = 3
    usual_step = "mend the declared file that is named, then `make test`"


class PrivacyError(KhlangError):
    """A column without a class, a class without a rule, a key that is missing or short: nothing is loaded."""

    exit_code = 4
    usual_step = "nothing was loaded; see docs/reference/privacy.md, and let the privacy officer decide"


class DeliveryError(KhlangError):
    """A zip is refused as a whole; `code` is one of the fault catalogue's delivery codes."""

    exit_code = 5
    usual_step = "docs/reference/faults.md says what the code means; mend the zip and send it again"


class BalanceError(KhlangError):
    """Lines delivered and lines accounted for differ: the batch does not become visible."""

    exit_code = 6
    usual_step = "nothing became visible; see docs/runbooks, and tell the engineers this code and place"


class BusyError(KhlangError):
    """Another process holds the lock of this zone (exit code "busy")."""

    exit_code = 75
    usual_step = "wait for the running job, then start this one again"


class StackError(KhlangError):
    """A service of the embedded stack did not start or does not answer."""

    exit_code = 7
    usual_step = "`khlang status`, then `khlang up`"


class StoreError(KhlangError):
    """The object store or the database refused or lost something."""

    exit_code = 8
    usual_step = "`khlang status`; when all is well, start the job again: it goes on where it was cut off"


class QualityError(KhlangError):
    """A declared check of a mart or an indicator failed after a build."""

    exit_code = 9
    usual_step = "nothing became visible; see docs/runbooks/gold-failed.md"


NOTHING_NEW = 99
"""Exit code of a job that found no work: Airflow turns it into a skip (skip_on_exit_code)."""
