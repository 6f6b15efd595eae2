"""Which model a server on this machine has loaded, where the user named none."""

import asyncio

import httpx

from edgecascade.cloud.refusals import PassingError, plain
from edgecascade.cloud.specs import CloudSpec
from edgecascade.cloud.wire import entry, name_of, rows
from edgecascade.errors import CloudError


async def loaded_model(client: httpx.AsyncClient, spec: CloudSpec, *, seconds: float) -> str:
    """Return the first model that ``GET {base}/models`` lists; raise CloudError where that takes longer, or fails."""
    where = f"{spec.base_url}/models"
    headers = {"Authorization": f"Bearer {spec.key}"} if spec.key else {}
    try:
        async with asyncio.timeout(seconds):
            response = await client.get(where, headers=headers, follow_redirects=False)
        found = rows(entry(response.json()).get("data"))
    except (TimeoutError, httpx.HTTPError) as error:
        why = plain(str(error), spec.key) or type(error).__name__
        message = f"{where} gave no list: found {why}, wanted the models that are loaded; check that the server runs"
        if isinstance(error, TimeoutError):
            raise CloudError(message, code="timeout") from None
        raise PassingError(message, code="offline") from None
    except (ValueError, RecursionError):
        found = []
    if model := name_of(entry((found or [None])[0]).get("id")):
        return model
    raise CloudError(
        f"{where} lists no model: found none in an answer of status {response.status_code}, wanted one that is loaded; "
        "load one, or name it: ADDRESS#MODEL",
        code="protocol",
    )
