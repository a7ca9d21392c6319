"""A kopf operator that Prometheus can read.

prometheus_client counts and serves on a port of its own, from the operator's
start to its end; the annotations in deployment.yaml tell scrapers where. The
probe shows the other way, without that library: a typed envelope in the JSON of
the liveness endpoint, which package operator/kopf of Kubevitals reads.

    pip install kopf prometheus-client
    kopf run --liveness=http://0.0.0.0:8080/healthz operator.py
"""

import kopf
import prometheus_client

CREATED = prometheus_client.Counter(
    "example_resources_created", "Resources that were created.", ["kind"]
)
PENDING = {"high": 0, "low": 0}


@kopf.on.startup()
def serve_metrics(memo, **_):
    memo.server, memo.thread = prometheus_client.start_http_server(9090)


@kopf.on.cleanup()
def stop_serving(memo, **_):
    memo.server.shutdown()
    memo.thread.join()


@kopf.on.create("configmaps")
def created(**_):
    CREATED.labels("ConfigMap").inc()


# Without IGNORED, an exception here fails the liveness probe: the pod restarts.
@kopf.on.probe(id="pending", errors=kopf.ErrorsMode.IGNORED)
def pending(**_):
    return {
        "$metrics": [
            {
                "name": "example_pending",
                "type": "gauge",
                "help": "Resources that wait.",
                "labels": {"priority": priority},
                "value": count,
            }
            for priority, count in PENDING.items()
        ]
    }
