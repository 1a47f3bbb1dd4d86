"""The roles that the broker itself asks for; a sign-in method says which a caller has."""

from __future__ import annotations

ADMIN = "admin"
"""Sees all calls, their transcripts and usage, and acts on them."""
