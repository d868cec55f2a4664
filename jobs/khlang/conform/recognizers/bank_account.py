"""Bank account numbers and PromptPay ids."""

from __future__ import annotations

from collections.abc import Iterator

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_FORM = rule(r"(?<![0-9])[0-9]{3}[ ]?[\- ][ ]?[0-9][ ]?[\- ][ ]?[0-9]{5}[ ]?[\- ][ ]?[0-9](?![0-9])")
_LABELLED = rule(
    r"(?:(?:เลขที่)?บัญชี|บ/ช|ธนาคาร|พร้อมเพย์|โอน(?:เงิน)?(?:เข้า|ให้)?|ธ\.ก\.ส\.?|ธกส\.?|กสิกร(?:ไทย)?|กรุงไทย|กรุงเทพ|ไทยพาณิชย์|ออมสิน|ทหารไทย"
    r"|(?<![a-z])(?:promptpay|account|acc|a/c|scb|kbank|ktb|bbl|ttb|gsb))"
    r"[^0-9]{0,25}(?P<number>[0-9](?:[ \-]?[0-9]){9,14})(?![0-9])"
)


class BankAccount(Recogniser):
    """The grouping 3-1-5-1, or ten to fifteen digits behind the name of a bank."""

    kind = "BANK"
    trigger = (
        r"\d{3} ?[^\p{L}\d] ?\d ?[^\p{L}\d] ?\d{5}"
        r"|(?:บัญชี|บ/ช|ธนาคาร|พร้อมเพย์|โอน|ธ\.ก\.ส|ธกส|กสิกร|กรุงไทย|กรุงเทพ|พาณิชย์|ออมสิน|ทหารไทย"
        r"|promptpay|acc|a/c|scb|kbank|ktb|bbl|ttb|gsb)[^\d]{0,40}\d"
    )

    def find(self, text: str) -> Iterator[Span]:
        """By form, then behind a bank's name."""
        yield from (self.span(found.span(), 0.75) for found in matches(_FORM, text))
        yield from (self.span(found.span("number"), 0.75) for found in matches(_LABELLED, text))
