package lrogateway;

import com.google.gson.Gson;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsClient;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Duration;
import com.google.protobuf.Empty;
import com.google.rpc.Code;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Waits for operations, all at the same time, and prints as one JSON object how each ended.
 *
 * <p>Arguments: HOST:PORT CANCEL, then pairs of wait or poll and the name of an operation: by WaitOperation, or by
 * Google's polling helper. CANCEL names an operation that is cancelled first.
 */
public final class Waits {
  /** Waits until it is done, however often that has to be asked. */
  private static Object waitFor(ManagedChannel channel, String name) throws Exception {
    WaitOperationRequest request =
        WaitOperationRequest.newBuilder().setName(name).setTimeout(Duration.newBuilder().setSeconds(30)).build();
    try (OperationsClient client = PollingHelper.client(channel)) {
      Operation operation;
      do {
        operation = client.waitOperation(request);
      } while (!operation.getDone());
      return operation.hasError() ? Map.of("code", Code.forNumber(operation.getError().getCode()).name()) : "OK";
    }
  }

  public static void main(String[] args) throws Exception {
    ManagedChannel channel = ManagedChannelBuilder.forTarget(args[0]).usePlaintext().build();
    PollingHelper.client(channel).cancelOperation(args[1]);
    Map<String, Future<Object>> waits = new LinkedHashMap<>();
    ExecutorService threads = Executors.newCachedThreadPool();
    for (int at = 2; at < args.length; at += 2) {
      String how = args[at], name = args[at + 1];
      Callable<Object> end =
          () -> how.equals("wait") ? waitFor(channel, name) : PollingHelper.poll(channel, name, Empty.class);
      waits.put(how + " " + name, threads.submit(end));
    }
    Map<String, Object> seen = new LinkedHashMap<>();
    for (Map.Entry<String, Future<Object>> wait : waits.entrySet()) seen.put(wait.getKey(), wait.getValue().get());
    System.out.println(new Gson().toJson(seen));
    System.exit(0);
  }
}
