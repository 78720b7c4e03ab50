"""Boards as tables, Markdown, one page, and files for other programs."""
