"""Seeded generator of hard pictures: digits on many papers, and what is no digit."""
