"""The app that `make serve` runs: MLflow's server with a limit on the size of requests.

It imports nothing from this checkout: a registered model has its own copy of `mien`.
"""

import os

from fastapi import Request
from mlflow.pyfunc import load_model, scoring_server
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse

# Maximum size of a request: a photo of 24 MB as base64, or hundreds of faces.
BODY = 32 * 2**20


def app() -> RequestBodyLimitMiddleware:
    """Return the server of the model that MIEN_SERVED names."""
    server = scoring_server.init(load_model(os.environ["MIEN_SERVED"]))
    server.add_exception_handler(RecursionError, _too_deep)
    # As the outermost layer: inside MLflow's layers a rejection would become status 500.
    return RequestBodyLimitMiddleware(server, BODY)


async def _too_deep(request: Request, error: Exception) -> JSONResponse:
    # MLflow handles other errors of the JSON parser.
    return JSONResponse({"message": "JSON nested too deep; expected valid JSON"}, 400)
