// Command clients drives a gateway with Google's own Go clients, unmodified, and prints what they saw as one JSON object.
//
// Usage: clients HOST:PORT PARENT RUNNING FINISHING FINISHED, the last three being operation names: one to cancel, one
// that ends with a response within seconds, one that has ended. Or: clients retries ARGUMENTS (retries.go), clients waits
// ARGUMENTS (waits.go).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"cloud.google.com/go/longrunning"
	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

type failure struct {
	Code       string   `json:"code"`
	Message    string   `json:"message"`
	Reason     string   `json:"reason"`
	Violations []string `json:"violations"`
}

func describe(err error) any {
	if err == nil {
		return "OK"
	}
	f := failure{Code: codeName(status.Code(err)), Message: err.Error()}
	if api, ok := apierror.FromError(err); ok {
		f.Code = codeName(api.GRPCStatus().Code())
		f.Message = api.GRPCStatus().Message()
		f.Reason = api.Reason()
		if bad := api.Details().BadRequest; bad != nil {
			for _, v := range bad.GetFieldViolations() {
				f.Violations = append(f.Violations, v.GetField())
			}
		}
	}
	return f
}

func codeName(c codes.Code) string {
	text, _ := json.Marshal(c)
	var n int
	_ = json.Unmarshal(text, &n)
	return []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
		"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}[n]
}

func view(op *longrunningpb.Operation, err error) any {
	if err != nil {
		return describe(err)
	}
	return map[string]any{
		"name": op.GetName(), "done": op.GetDone(), "errorCode": op.GetError().GetCode(),
		"metadataType": op.GetMetadata().GetTypeUrl(), "responseType": op.GetResponse().GetTypeUrl(),
	}
}

func main() {
	if os.Args[1] == "retries" {
		retries(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
		return
	}
	if os.Args[1] == "waits" {
		waits(os.Args[2], os.Args[3], os.Args[4:])
		return
	}
	address, parent, running, finishing, finished := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	client, err := lroauto.NewOperationsClient(ctx, option.WithGRPCConn(conn))
	must(err)
	seen := map[string]any{"client": "go"}

	names := []string{}
	for it := client.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: parent, PageSize: 5}); ; {
		op, err := it.Next()
		if err == iterator.Done {
			break
		}
		must(err)
		names = append(names, op.GetName())
	}
	seen["list"] = names
	seen["get"] = view(client.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: running}))
	seen["cancel"] = describe(client.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: running}))
	seen["wait"] = view(client.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: running, Timeout: durationpb.New(20 * time.Second)}))
	seen["cancelled"] = describe(longrunning.InternalNewOperation(client, &longrunningpb.Operation{Name: running}).Wait(ctx, &emptypb.Empty{}))
	finishingOp := longrunning.InternalNewOperation(client, &longrunningpb.Operation{Name: finishing})
	seen["future"] = describe(finishingOp.Wait(ctx, nil))
	seen["cancelFinished"] = describe(client.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: finished}))
	_, err = client.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: finished + "0"})
	seen["unknown"] = describe(err)
	seen["badName"] = describe(client.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: "projects/p/../x"}))
	seen["delete"] = describe(client.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: finished}))
	must(json.NewEncoder(os.Stdout).Encode(seen))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
