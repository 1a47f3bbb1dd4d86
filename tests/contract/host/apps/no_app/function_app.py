"""Defines no app."""
