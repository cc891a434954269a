# SPDX-License-Identifier: BSD-3-Clause
"""Medians, spreads and the search for a rate. Pure."""
import statistics


def median(values):
    """The median of what is not None; None of nothing."""
    known = [v for v in values if v is not None]
    return statistics.median(known) if known else None


def spread(values):
    """(max - min) / median, 0 for one value; None of nothing or around zero."""
    known = [v for v in values if v is not None]
    if not known or not statistics.median(known):
        return None
    return (max(known) - min(known)) / abs(statistics.median(known))


def ratio(value, against):
    """value / against; None where either is missing or against is 0."""
    if value is None or not against:
        return None
    return value / against


def search_rate(passes, most, resolution=0.01, retries=1):
    """The highest rate at which passes(rate) holds, by halving (RFC 2544, 26.1).

    `most` is tried first and is the answer when it passes. A rate that fails is tried `retries` times more, since
    a disturbance from elsewhere makes a loss that is not the switch's. Ends when the interval is `resolution` of
    `most`. 0 when nothing passed.
    """

    def holds(rate):
        return any(passes(rate) for _ in range(1 + retries))

    if holds(most):
        return most
    low, high = 0.0, float(most)
    while high - low > resolution * most:
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def in_words(value, digits=3):
    """A number for a table: three digits that count, without an exponent."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 10 ** (digits - 1):
        return f"{value:.0f}"
    places = digits - 1
    while size < 1 and places < 8:
        size *= 10
        places += 1
    while size >= 10:
        size /= 10
        places -= 1
    return f"{value:.{places}f}"
