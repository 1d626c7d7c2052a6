"""What `make serve` runs: MLflow's server behind a bound on what a request may hold.

It imports nothing of this checkout: a registered model brings its own copy of `mien`.
"""

import os

from fastapi import Request
from mlflow.pyfunc import load_model, scoring_server
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse

# Bytes of the largest request: a photo of 24 MB as base64, or hundreds of faces.
BODY = 32 * 2**20


def app() -> RequestBodyLimitMiddleware:
    """Return the server of the model that MIEN_SERVED names."""
    server = scoring_server.init(load_model(os.environ["MIEN_SERVED"]))
    server.add_exception_handler(RecursionError, _too_deep)
    # Around it: between MLflow's own layers the refusal would become a status 500.
    return RequestBodyLimitMiddleware(server, BODY)


async def _too_deep(request: Request, error: Exception) -> JSONResponse:
    # MLflow catches what json raises of other broken JSON.
    return JSONResponse({"message": "JSON nested too deep; expected valid JSON"}, 400)
