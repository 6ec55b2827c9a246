"""Waits for operations, all at the same time, and prints as one JSON object how each ended.

Usage: waits.py HOST:PORT CANCEL, then pairs of wait or poll and the name of an operation: by the raw stub's
WaitOperation, or by Google's polling helper. CANCEL names an operation that is cancelled first.
"""

import json
import sys
from concurrent import futures

import grpc
from google.api_core import exceptions, operation, operations_v1
from google.api_core.future import polling
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import duration_pb2, empty_pb2
from google.rpc import code_pb2

address, cancel, *pairs = sys.argv[1:]
channel = grpc.insecure_channel(address)
client = operations_v1.OperationsClient(channel)
stub = operations_pb2_grpc.OperationsStub(channel)
PACE = polling.DEFAULT_POLLING.with_delay(initial=0.5, maximum=5, multiplier=1.5)


def wait(name):
    """Waits until it is done, however often that has to be asked."""
    request = operations_pb2.WaitOperationRequest(name=name, timeout=duration_pb2.Duration(seconds=30))
    while True:
        answer = stub.WaitOperation(request, timeout=35)
        if answer.done:
            return {"code": code_pb2.Code.Name(answer.error.code)} if answer.HasField("error") else "OK"


def poll(name):
    """What every generated Python client returns."""
    future = operation.from_gapic(client.get_operation(name), client, empty_pb2.Empty, polling=PACE)
    try:
        future.result(timeout=60)
        return "OK"
    except exceptions.GoogleAPICallError as error:
        return {"code": code_pb2.Code.Name(future.operation.error.code), "message": error.message}


client.cancel_operation(cancel)
with futures.ThreadPoolExecutor() as pool:
    waits = {
        f"{how} {name}": pool.submit(wait if how == "wait" else poll, name)
        for how, name in zip(pairs[::2], pairs[1::2])
    }
print(json.dumps({key: value.result() for key, value in waits.items()}))
