"""What is said to anybody holds no token."""

from __future__ import annotations

import re

Token = str | bool | None
"""A token, None for the one that is logged in, False for none."""


def without_tokens(text: str, token: Token = None) -> str:
    """The text with every token in it blotted out."""
    for secret in (token, _logged_in()):
        if isinstance(secret, str) and secret.strip():
            text = text.replace(secret.strip(), "(token)")
    return re.sub(r"hf_\w{8,}", "(token)", text)


def _logged_in() -> str | None:
    """The user's own token; None if it can't be had: an error is being told."""
    try:
        from huggingface_hub import get_token

        return get_token()
    except Exception:
        # Its file may be a folder, forbidden, or no text; the client may not even import.
        return None
