# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the cluster tests."""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE / 'lib'), str(HERE.parent / 'crash'), str(HERE.parent / 'rest')]
