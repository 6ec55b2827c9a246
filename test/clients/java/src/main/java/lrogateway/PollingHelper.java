package lrogateway;

import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.grpc.GrpcCallSettings;
import com.google.api.gax.grpc.GrpcCallableFactory;
import com.google.api.gax.grpc.GrpcTransportChannel;
import com.google.api.gax.grpc.ProtoOperationTransformers;
import com.google.api.gax.longrunning.OperationSnapshot;
import com.google.api.gax.longrunning.OperationTimedPollAlgorithm;
import com.google.api.gax.retrying.RetrySettings;
import com.google.api.gax.rpc.ApiException;
import com.google.api.gax.rpc.ClientContext;
import com.google.api.gax.rpc.FixedTransportChannelProvider;
import com.google.api.gax.rpc.OperationCallSettings;
import com.google.api.gax.rpc.OperationCallable;
import com.google.api.gax.rpc.UnaryCallSettings;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsClient;
import com.google.longrunning.OperationsSettings;
import com.google.protobuf.Message;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.protobuf.ProtoUtils;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** Google's client on a channel, and the polling of every generated Java client: gax' OperationFuture. */
final class PollingHelper {
  /** The call that begins the operation in a generated client; here it gets one that runs already. */
  private static final MethodDescriptor<GetOperationRequest, Operation> GET =
      MethodDescriptor.<GetOperationRequest, Operation>newBuilder()
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("google.longrunning.Operations/GetOperation")
          .setRequestMarshaller(ProtoUtils.marshaller(GetOperationRequest.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(Operation.getDefaultInstance()))
          .build();

  private static final RetrySettings PACE =
      RetrySettings.newBuilder()
          .setInitialRetryDelayDuration(Duration.ofMillis(500))
          .setRetryDelayMultiplier(1.5)
          .setMaxRetryDelayDuration(Duration.ofSeconds(5))
          .setTotalTimeoutDuration(Duration.ofMinutes(1))
          .build();

  private PollingHelper() {}

  static OperationsClient client(ManagedChannel channel) throws Exception {
    return OperationsClient.create(settings(channel));
  }

  /** Waits for the end: OK, or the code of the operation's error. */
  static <T extends Message> Object poll(ManagedChannel channel, String name, Class<T> response) throws Exception {
    OperationCallSettings<GetOperationRequest, T, OperationSnapshot> settings =
        OperationCallSettings.<GetOperationRequest, T, OperationSnapshot>newBuilder()
            .setInitialCallSettings(
                UnaryCallSettings.<GetOperationRequest, OperationSnapshot>newUnaryCallSettingsBuilder().build())
            .setResponseTransformer(ProtoOperationTransformers.ResponseTransformer.create(response))
            .setMetadataTransformer(snapshot -> snapshot)
            .setPollingAlgorithm(OperationTimedPollAlgorithm.create(PACE))
            .build();
    try (OperationsClient client = client(channel)) {
      OperationCallable<GetOperationRequest, T, OperationSnapshot> callable =
          GrpcCallableFactory.createOperationCallable(
              GrpcCallSettings.<GetOperationRequest, Operation>newBuilder().setMethodDescriptor(GET).build(),
              settings,
              ClientContext.create(settings(channel)),
              client.getStub());
      callable.futureCall(GetOperationRequest.newBuilder().setName(name).build()).get(1, TimeUnit.MINUTES);
      return "OK";
    } catch (ExecutionException error) {
      if (error.getCause() instanceof ApiException cause)
        return Map.of("code", cause.getStatusCode().getCode().name());
      throw error;
    }
  }

  private static OperationsSettings settings(ManagedChannel channel) throws Exception {
    return OperationsSettings.newBuilder()
        .setCredentialsProvider(NoCredentialsProvider.create())
        .setTransportChannelProvider(FixedTransportChannelProvider.create(GrpcTransportChannel.create(channel)))
        .build();
  }
}
