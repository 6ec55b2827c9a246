package lrogateway;

import com.google.api.gax.rpc.ApiException;
import com.google.gson.Gson;
import com.google.longrunning.ListOperationsRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsClient;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Duration;
import com.google.protobuf.Empty;
import com.google.rpc.BadRequest;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Drives a gateway with Google's own Java client, unmodified, and prints what it saw as one JSON object.
 *
 * <p>Arguments: HOST:PORT PARENT RUNNING FINISHING FINISHED, the last three being operation names: one to cancel, one
 * that ends with a response within seconds, one that has ended.
 */
public final class Clients {
  private interface Call {
    void run() throws Exception;
  }

  private static Object describe(Call call) throws Exception {
    try {
      call.run();
      return "OK";
    } catch (ApiException error) {
      Map<String, Object> seen = new LinkedHashMap<>();
      seen.put("code", error.getStatusCode().getCode().name());
      seen.put("message", error.getMessage());
      seen.put("reason", error.getReason());
      List<String> violations = new ArrayList<>();
      BadRequest bad = error.getErrorDetails() == null ? null : error.getErrorDetails().getBadRequest();
      if (bad != null) bad.getFieldViolationsList().forEach(v -> violations.add(v.getField()));
      seen.put("violations", violations);
      return seen;
    }
  }

  private static Map<String, Object> view(Operation op) {
    Map<String, Object> seen = new LinkedHashMap<>();
    seen.put("name", op.getName());
    seen.put("done", op.getDone());
    seen.put("errorCode", op.getError().getCode());
    seen.put("metadataType", op.getMetadata().getTypeUrl());
    seen.put("responseType", op.getResponse().getTypeUrl());
    return seen;
  }

  public static void main(String[] args) throws Exception {
    String address = args[0], parent = args[1], running = args[2], finishing = args[3], finished = args[4];
    ManagedChannel channel = ManagedChannelBuilder.forTarget(address).usePlaintext().build();
    OperationsClient client = PollingHelper.client(channel);
    Map<String, Object> seen = new LinkedHashMap<>();
    seen.put("client", "java");
    List<String> names = new ArrayList<>();
    client
        .listOperations(ListOperationsRequest.newBuilder().setName(parent).setPageSize(5).build())
        .iterateAll()
        .forEach(op -> names.add(op.getName()));
    seen.put("list", names);
    seen.put("get", view(client.getOperation(running)));
    seen.put("cancel", describe(() -> client.cancelOperation(running)));
    seen.put(
        "wait",
        view(
            client.waitOperation(
                WaitOperationRequest.newBuilder()
                    .setName(running)
                    .setTimeout(Duration.newBuilder().setSeconds(20))
                    .build())));
    seen.put("cancelled", PollingHelper.poll(channel, running, Empty.class));
    seen.put("future", PollingHelper.poll(channel, finishing, Empty.class));
    seen.put("cancelFinished", describe(() -> client.cancelOperation(finished)));
    seen.put("unknown", describe(() -> client.getOperation(finished + "0")));
    seen.put("badName", describe(() -> client.cancelOperation("projects/p/../x")));
    seen.put("delete", describe(() -> client.deleteOperation(finished)));
    System.out.println(new Gson().toJson(seen));
    channel.shutdownNow();
    System.exit(0);
  }
}
