"""Send requests to a server that `make serve` started; print its throughput as one line of JSON.

    python benchmarks/serving.py [PORT]

For each batch size and number of clients, clients on this machine send requests without pauses for
some seconds. They share the cores with the server, as a proxy on the same machine would.
"""

import base64
import http.client
import json
import os
import sys
import threading
import time

import cv2
import numpy as np

SECONDS, WARM_UP = 5.0, 1.0
CLIENTS, BATCHES = (1, 8), (1, 64)


def body(batch: int) -> bytes:
    """Return a request with `batch` images: 48 by 48 pixels of noise, which do not compress."""
    rng = np.random.default_rng(batch)
    rows = []
    for image in rng.integers(0, 256, (batch, 48, 48), dtype=np.uint8):
        data = cv2.imencode(".png", image)[1].tobytes()
        rows.append({"image": base64.b64encode(data).decode()})
    return json.dumps({"dataframe_records": rows}).encode()


def ask(port: int, data: bytes, seconds: float, taken: list[float]) -> None:
    """Send one request after another for `seconds`; append their durations to `taken`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        connection.request("POST", "/invocations", data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {text[:500]!r}")
        taken.append(time.perf_counter() - start)


def load(port: int, clients: int, batch: int) -> dict[str, float]:
    """Return the throughput of `clients` at once."""
    data = body(batch)
    ask(port, data, WARM_UP, [])
    taken: list[float] = []
    threads = [
        threading.Thread(target=ask, args=(port, data, SECONDS, taken)) for _ in range(clients)
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(taken) / (time.perf_counter() - start)
    p50, p99 = np.percentile(taken, (50, 99)) * 1000
    return {
        "clients": clients,
        "batch": batch,
        "requests": len(taken),
        "requests_per_s": round(rate, 1),
        "images_per_s": round(rate * batch, 1),
        "p50_ms": round(p50, 1),
        "p99_ms": round(p99, 1),
    }


def main(port: int) -> None:
    """Print one line: the cores, the load before, and a row for each combination."""
    about = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
    try:
        rows = [load(port, clients, batch) for batch in BATCHES for clients in CLIENTS]
    except OSError as error:
        sys.exit(f"port {port}: {error.strerror or error}; start the server with `make serve`")
    print(json.dumps({**about, "loads": rows}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5001)
