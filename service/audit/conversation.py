"""A conversation as a keyed hash, by which the ledger can tell it again without holding a word of it."""

import hmac
from dataclasses import asdict

from service.audit.chain import canonical
from service.domain.conversation import Conversation
from service.domain.errors import SettingsError

KEY_BYTES = 16


def conversation_hash(key: bytes, conversation: Conversation) -> str:
    """HMAC-SHA256, in hex, over the canonical JSON of every message, its role and its tool calls.

    Keyed, since a short question could be guessed from a bare hash.

    Raises:
        SettingsError: the key is shorter than 16 bytes.

    """
    if len(key) < KEY_BYTES:
        raise SettingsError(
            f"audit_key: {len(key)} bytes are too few to keep a hash from being guessed; give 16 or more"
        )
    return hmac.new(key, canonical(asdict(conversation)), "sha256").hexdigest()
