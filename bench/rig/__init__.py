# SPDX-License-Identifier: BSD-3-Clause
"""The measuring rig of bench/run: systems under test, the generator, measures, and reports."""
