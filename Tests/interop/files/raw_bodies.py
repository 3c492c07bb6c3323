"""Bodies that are bytes and no form of anything, for schemathesis (SCHEMATHESIS_HOOKS)."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream", "application/vnd.daleks.chunks")
def raw(ctx, value):
    value = getattr(value, "data", value)
    return value if isinstance(value, bytes) else str(value).encode()
