package lrogateway;

import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.grpc.GrpcTransportChannel;
import com.google.api.gax.rpc.ApiException;
import com.google.api.gax.rpc.FixedTransportChannelProvider;
import com.google.gson.Gson;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsClient;
import com.google.longrunning.OperationsSettings;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Gets one operation with a retry policy, and prints the code of the outcome.
 *
 * <p>Arguments: native, for grpc-java's own policy in the service config, or gax, for what Google's client does by
 * itself; HOST:PORT; the operation's name; the service config as JSON.
 */
public final class Retries {
  private static final MethodDescriptor<GetOperationRequest, Operation> GET =
      MethodDescriptor.<GetOperationRequest, Operation>newBuilder()
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("google.longrunning.Operations/GetOperation")
          .setRequestMarshaller(ProtoUtils.marshaller(GetOperationRequest.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(Operation.getDefaultInstance()))
          .build();

  private static Object natively(String address, String name, Map<String, ?> serviceConfig) {
    ManagedChannel channel =
        ManagedChannelBuilder.forTarget(address).usePlaintext().defaultServiceConfig(serviceConfig).enableRetry().build();
    GetOperationRequest request = GetOperationRequest.newBuilder().setName(name).build();
    try {
      ClientCalls.blockingUnaryCall(
          channel, GET, CallOptions.DEFAULT.withDeadlineAfter(60, TimeUnit.SECONDS), request);
      return "OK";
    } catch (StatusRuntimeException error) {
      return Map.of("code", error.getStatus().getCode().name());
    } finally {
      channel.shutdownNow();
    }
  }

  private static Object withGax(String address, String name) throws Exception {
    ManagedChannel channel = ManagedChannelBuilder.forTarget(address).usePlaintext().build();
    OperationsSettings settings =
        OperationsSettings.newBuilder()
            .setCredentialsProvider(NoCredentialsProvider.create())
            .setTransportChannelProvider(
                FixedTransportChannelProvider.create(GrpcTransportChannel.create(channel)))
            .build();
    try (OperationsClient client = OperationsClient.create(settings)) {
      client.getOperation(name);
      return "OK";
    } catch (ApiException error) {
      return Map.of("code", error.getStatusCode().getCode().name());
    } finally {
      channel.shutdownNow();
    }
  }

  public static void main(String[] args) throws Exception {
    String kind = args[0], address = args[1], name = args[2], serviceConfig = args[3];
    @SuppressWarnings("unchecked")
    Map<String, ?> config = new Gson().fromJson(serviceConfig, Map.class);
    Object seen = kind.equals("native") ? natively(address, name, config) : withGax(address, name);
    System.out.println(new Gson().toJson(seen));
    System.exit(0);
  }
}
