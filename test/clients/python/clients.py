"""Drives a gateway with Google's own Python client, unmodified, and prints what it saw as one JSON object.

Usage: clients.py HOST:PORT PARENT RUNNING FINISHING FINISHED, the last three being operation names: one to cancel, one
that ends with a response within seconds, one that has ended.
"""

import json
import sys

import grpc
from google.api_core import exceptions, operation, operations_v1
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import duration_pb2, empty_pb2
from google.rpc import error_details_pb2


def describe(call):
    """What a call led to: OK, or its error as google-api-core shows it."""
    try:
        call()
        return "OK"
    except exceptions.GoogleAPICallError as error:
        return {
            "code": error.grpc_status_code.name if error.grpc_status_code else None,
            "message": error.message,
            "reason": error.reason,
            "violations": [
                violation.field
                for detail in error.details
                if isinstance(detail, error_details_pb2.BadRequest)
                for violation in detail.field_violations
            ],
        }
    except grpc.RpcError as error:
        return {"code": error.code().name, "message": error.details(), "reason": None, "violations": []}


def view(op):
    """The parts of an operation that every client must read alike."""
    return {
        "name": op.name,
        "done": op.done,
        "errorCode": op.error.code,
        "metadataType": op.metadata.type_url,
        "responseType": op.response.type_url,
    }


def main():
    address, parent, running, finishing, finished = sys.argv[1:]
    channel = grpc.insecure_channel(address)
    client = operations_v1.OperationsClient(channel)
    stub = operations_pb2_grpc.OperationsStub(channel)
    seen = {"client": "python"}

    def future(name):
        start = client.get_operation(name)
        return operation.from_gapic(start, client, empty_pb2.Empty)

    def result(name):
        pending = future(name)
        while not pending.done():
            pending.exception(timeout=30)
        if pending.operation.HasField("error"):
            pending.result()

    seen["list"] = [op.name for op in client.list_operations(parent, "")]
    seen["get"] = view(client.get_operation(running))
    seen["cancel"] = describe(lambda: client.cancel_operation(running))
    seen["wait"] = view(
        stub.WaitOperation(
            operations_pb2.WaitOperationRequest(name=running, timeout=duration_pb2.Duration(seconds=20)), timeout=30
        )
    )
    seen["cancelled"] = describe(lambda: result(running))
    seen["future"] = describe(lambda: result(finishing))
    seen["cancelFinished"] = describe(lambda: client.cancel_operation(finished))
    seen["unknown"] = describe(lambda: client.get_operation(finished + "0"))
    seen["badName"] = describe(lambda: client.cancel_operation("projects/p/../x"))
    seen["delete"] = describe(lambda: client.delete_operation(finished))
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
