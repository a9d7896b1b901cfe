# Copyright (C) rs-gateway contributors
#
# Secrets of webhooks, as gateways make them of the same key
# (librs/rs_webhook.h), and what is signed with them: Standard Webhooks.

import base64
import hashlib
import hmac

KEEP_S = 86400          # a secret that was changed signs besides


def secret(key, tenant, hook_id, number):
    """The bytes behind "whsec_"."""

    text = b"\0".join((b"rs-webhook", tenant.encode(), hook_id.encode(),
                       str(number).encode()))

    return hmac.new(key, text, hashlib.sha256).digest()


def numbers(hook, now):
    """Which of its secrets sign, the newest first."""

    newest = int(hook["secret_no"])
    changed = int(hook["secret_at"] or 0)

    if newest > 1 and now - changed < KEEP_S:
        return [newest, newest - 1]

    return [newest]


def message_id(tenant, event_id, body):
    """The same at each attempt, whoever makes it."""

    text = b"\0".join((tenant.encode(), event_id.encode(), body))

    return "evt_" + hashlib.sha256(text).hexdigest()[:32]


def headers(key, tenant, hook, event_id, body, now):
    name = message_id(tenant, event_id, body)
    signed = f"{name}.{int(now)}.".encode() + body
    signatures = []

    for number in numbers(hook, now):
        mac = hmac.new(secret(key, tenant, hook["id"], number), signed,
                       hashlib.sha256).digest()
        signatures.append("v1," + base64.b64encode(mac).decode())

    return {"webhook-id": name, "webhook-timestamp": str(int(now)),
            "webhook-signature": " ".join(signatures)}
